/** Structures of MS-SRVS 2.2.4, by level. */

import { conformantArray, conformantBytes, i32, type NdrType, struct, u32, union, unique, wideString } from './ndr.ts'

const text = unique(wideString)
const layouts = <T>(table: T): Readonly<Record<number, NdrType<never>>> => table as Readonly<Record<number, NdrType<never>>>

const share1 = { netname: text, type: u32, remark: text }
const share2 = { ...share1, permissions: u32, maxUses: u32, currentUses: u32, path: text, password: text }
const descriptor = { descriptorBytes: u32, descriptor: unique(conformantBytes) }

/** SHARE_INFO_* (MS-SRVS 2.2.4.22 to 2.2.4.31). */
export const shareInfo = layouts({
  0: struct({ netname: text }),
  1: struct(share1),
  2: struct(share2),
  501: struct({ ...share1, flags: u32 }),
  502: struct({ ...share2, ...descriptor }),
  503: struct({ ...share2, serverName: text, ...descriptor }),
  1004: struct({ remark: text }),
  1005: struct({ flags: u32 }),
  1006: struct({ maxUses: u32 }),
  1501: struct(descriptor),
})

const server100 = { platform: u32, name: text }
const server101 = { ...server100, major: u32, minor: u32, type: u32, comment: text }
/** SERVER_INFO_* (MS-SRVS 2.2.4.40 to 2.2.4.42). */
export const serverInfo = layouts({
  100: struct(server100),
  101: struct(server101),
  102: struct({
    ...server101,
    users: u32,
    disconnectMinutes: i32,
    hidden: u32,
    announceSeconds: u32,
    announceDelta: u32,
    licenses: u32,
    userPath: text,
  }),
})

const session1 = { clientName: text, userName: text, opens: u32, activeSeconds: u32, idleSeconds: u32, userFlags: u32 }
/** SESSION_INFO_* (MS-SRVS 2.2.4.11 to 2.2.4.15). */
export const sessionInfo = layouts({
  0: struct({ clientName: text }),
  1: struct(session1),
  2: struct({ ...session1, clientType: text }),
  10: struct({ clientName: text, userName: text, activeSeconds: u32, idleSeconds: u32 }),
  502: struct({ ...session1, clientType: text, transport: text }),
})

/** FILE_INFO_* (MS-SRVS 2.2.4.6, 2.2.4.7). */
export const fileInfo = layouts({
  2: struct({ id: u32 }),
  3: struct({ id: u32, permissions: u32, locks: u32, path: text, userName: text }),
})

/** CONNECTION_INFO_* (MS-SRVS 2.2.4.1, 2.2.4.2). */
export const connectionInfo = layouts({
  0: struct({ id: u32 }),
  1: struct({ id: u32, type: u32, opens: u32, users: u32, activeSeconds: u32, userName: text, netName: text }),
})

/** TIME_OF_DAY_INFO (MS-SRVS 2.2.4.105). */
export const timeOfDay = struct({
  elapsedSeconds: u32,
  milliseconds: u32,
  hours: u32,
  minutes: u32,
  seconds: u32,
  hundredths: u32,
  timezoneMinutes: i32,
  tickTenthsOfMs: u32,
  day: u32,
  month: u32,
  year: u32,
  weekday: u32,
})

/** *_ENUM_STRUCT: a level, and for each level a pointer to {EntriesRead, Buffer} (e.g. MS-SRVS 2.2.4.38). */
export function container(table: Readonly<Record<number, NdrType<never>>>) {
  const arms = Object.entries(table).map(([level, layout]) => [
    level,
    unique(struct({ entries: u32, buffer: unique(conformantArray(layout as NdrType<unknown>)) })),
  ])
  return struct({ level: u32, info: union(u32, Object.fromEntries(arms)) })
}
