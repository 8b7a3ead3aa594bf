/** srvsvc: the Server Service Remote Protocol (MS-SRVS), as far as clients ask a file server for it. */

import { type NdrType, i32, type UnionValue, u32, union, unique, wideString } from './ndr.ts'
import { canonicalizePath, comparePaths, isNameValid, pathType } from './srvsvc-names.ts'
import { container, fileInfo, connectionInfo, sessionInfo, serverInfo, shareInfo, timeOfDay } from './srvsvc-layouts.ts'
import { type CallContext, type MaybePromise, operation, type RpcService, type RpcUser, winError } from './service.ts'

/** STYPE_* (MS-SRVS 2.2.2.4). */
export const shareType = { disk: 0, printQueue: 1, device: 2, ipc: 3, special: 0x8000_0000, temporary: 0x4000_0000 } as const

/** A share as it is listed. */
export interface ShareView {
  readonly name: string
  /** `shareType`, e.g. `shareType.ipc | shareType.special` for IPC$. */
  readonly type: number
  readonly comment: string
  /** As administrators see it, e.g. `C:\docs`. */
  readonly path: string
  readonly currentUses: number
  /** Unlimited where undefined. */
  readonly maxUses?: number
  /** SHI1005_FLAGS_* (MS-SRVS 2.2.4.29): client-side caching, ABE, …; 0 where undefined. */
  readonly flags?: number
  /** Self-relative SECURITY_DESCRIPTOR of the share itself. */
  readonly securityDescriptor?: Uint8Array
}

/** An SMB session as it is listed (MS-SRVS 2.2.4.15). */
export interface SessionView {
  readonly clientName: string
  readonly userName: string
  readonly opens: number
  readonly activeSeconds: number
  readonly idleSeconds: number
}

/** An open file as it is listed (MS-SRVS 2.2.4.7). */
export interface OpenView {
  readonly id: number
  /** PERM_FILE_READ 1, WRITE 2, CREATE 4 (MS-SRVS 2.2.4.7). */
  readonly permissions: number
  readonly locks: number
  readonly path: string
  readonly userName: string
}

/** A connected share as it is listed (MS-SRVS 2.2.4.2). */
export interface ConnectionView {
  readonly id: number
  readonly type: number
  readonly opens: number
  readonly users: number
  readonly activeSeconds: number
  readonly userName: string
  /** The share's name, or the client's where a share was asked for. */
  readonly netName: string
}

/** What srvsvc may know of the server it speaks for. */
export interface SrvsvcView {
  /** Without leading backslashes. */
  readonly serverName: string
  readonly comment: string
  /** Windows version reported; default 10.0. */
  readonly version?: { readonly major: number; readonly minor: number }
  shares(user: RpcUser): MaybePromise<readonly ShareView[]>
  /** For administrators only, which srvsvc sees to. Empty where undefined. */
  sessions?(user: RpcUser): MaybePromise<readonly SessionView[]>
  opens?(user: RpcUser): MaybePromise<readonly OpenView[]>
  /** Ends sessions, of a client, a user, or a user at a client; empty texts stand for all. Returns how many; none where undefined. */
  closeSessions?(which: { readonly clientName: string; readonly userName: string }): MaybePromise<number>
  /** Closes an open. False where there is none of that id, and where undefined. */
  closeOpen?(id: number): MaybePromise<boolean>
  /** `qualifier`: a share's name, or `\\client`. */
  connections?(user: RpcUser, qualifier: string): MaybePromise<readonly ConnectionView[]>
  /** Now; the system's clock where undefined. */
  clock?(): Date
}

/** PLATFORM_ID_NT (MS-SRVS 2.2.2.6). */
const platformNt = 500
/** SV_TYPE_WORKSTATION | SERVER | NT | SERVER_NT (MS-SRVS 2.2.2.7). */
const serverType = 0x0000_9003

/** Levels that tell where a share lies are an administrator's (MS-SRVS 3.1.4.8). */
const adminShareLevels = new Set([2, 502, 503, 1501])

const shareValues = (view: SrvsvcView, share: ShareView) => ({
  netname: share.name,
  type: share.type,
  remark: share.comment,
  permissions: 0,
  maxUses: share.maxUses ?? 0xffff_ffff,
  currentUses: share.currentUses,
  path: share.path,
  password: '',
  serverName: view.serverName,
  flags: share.flags ?? 0,
  descriptorBytes: share.securityDescriptor?.length ?? 0,
  descriptor: share.securityDescriptor ?? null,
})

const sessionValues = (session: SessionView) => ({ ...session, userFlags: 0, clientType: '', transport: '' })

interface EnumerationRequest {
  readonly level: number
  readonly preferredBytes: number
  readonly resume: number | null
}

/** One page of an enumeration (MS-SRVS 3.1.4.8): at least one entry, resumed at an index. */
function page<T>(all: readonly T[], { level, preferredBytes, resume }: EnumerationRequest, sizeBytes: (item: T) => number) {
  const from = Math.min(resume ?? 0, all.length)
  let to = from
  for (let bytes = 0; to < all.length; to++) {
    bytes += sizeBytes(all[to])
    if (to > from && bytes > preferredBytes) break
  }
  const complete = to === all.length
  return {
    info: { level, info: { level, value: { entries: to - from, buffer: all.slice(from, to) } } },
    total: all.length - from,
    resume: resume === null ? null : complete ? 0 : to,
    status: complete ? winError.success : winError.moreData,
  }
}

const nothing = ({ level, resume }: EnumerationRequest, status: number) => ({
  info: { level, info: { level, value: null } },
  total: 0,
  resume,
  status,
})

type Layouts = Readonly<Record<number, NdrType<never>>>
const enumeration = (layouts: Layouts) => container(layouts)
const hasLevel = (layouts: Layouts, level: number): boolean => Object.hasOwn(layouts, level)
const arms = (layouts: Layouts): Layouts =>
  Object.fromEntries(Object.entries(layouts).map(([level, layout]) => [level, unique(layout) as NdrType<never>]))

const textBytes = (values: object): number => {
  let bytes = 0
  for (const value of Object.values(values)) bytes += typeof value === 'string' ? 2 * value.length + 20 : 4
  return bytes
}

/** NetrShareEnum and NetrShareEnumSticky differ in what they list only on clusters (MS-SRVS 3.1.4.9). */
const shareEnumeration = (view: SrvsvcView, name: string) =>
  operation({
    name,
    input: { serverName: unique(wideString), info: enumeration(shareInfo), preferredBytes: u32, resume: unique(u32) },
    output: { info: enumeration(shareInfo), total: u32, resume: unique(u32), status: u32 },
    async handle({ info: { level }, preferredBytes, resume }, { user }) {
      const request = { level, preferredBytes, resume }
      if (!hasLevel(shareInfo, level) || level >= 1000) return nothing(request, winError.invalidLevel)
      if (adminShareLevels.has(level) && !user.isAdmin) return nothing(request, winError.accessDenied)
      const shares = await view.shares(user)
      return page(
        shares.map(share => shareValues(view, share)),
        request,
        textBytes,
      )
    },
  })

const adminEnumeration = <T extends object>(definition: {
  readonly name: string
  readonly layouts: Layouts
  readonly filters: number
  list(user: RpcUser, filters: readonly string[]): MaybePromise<readonly T[]>
}) => {
  const filterNames = ['filter0', 'filter1'].slice(0, definition.filters)
  const filters = Object.fromEntries(filterNames.map(name => [name, unique(wideString)]))
  return operation({
    name: definition.name,
    input: { serverName: unique(wideString), ...filters, info: enumeration(definition.layouts), preferredBytes: u32, resume: unique(u32) },
    output: { info: enumeration(definition.layouts), total: u32, resume: unique(u32), status: u32 },
    async handle(input, { user }: CallContext) {
      const values = input as unknown as Record<string, string | null> & { info: { level: number }; preferredBytes: number; resume: number | null }
      const request = { level: values.info.level, preferredBytes: values.preferredBytes, resume: values.resume }
      if (!hasLevel(definition.layouts, request.level)) return nothing(request, winError.invalidLevel)
      if (!user.isAdmin) return nothing(request, winError.accessDenied)
      const all = await definition.list(
        user,
        filterNames.map(name => values[name] ?? ''),
      )
      return page(all, request, textBytes)
    },
  })
}

/** A client is named as a server is, with two backslashes before. */
const withoutBackslashes = (name: string): string => name.replace(/^\\\\/, '')

const same = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase()
const empty = (level: number): UnionValue => ({ level, value: null })

/**
 * The srvsvc interface of one server.
 *
 * @example
 * const service = srvsvc({ serverName: 'FILES', comment: '', shares: () => [{ name: 'docs', type: 0, comment: '', path: 'C:\\docs', currentUses: 0 }] })
 */
export function srvsvc(view: SrvsvcView): RpcService {
  const { major, minor } = view.version ?? { major: 10, minor: 0 }
  return {
    name: 'srvsvc',
    uuid: '4b324fc8-1670-01d3-1278-5a47bf6ee188',
    majorVersion: 3,
    minorVersion: 0,
    operations: {
      8: adminEnumeration({
        name: 'NetrConnectionEnum',
        layouts: connectionInfo,
        filters: 1,
        list: (user, [qualifier = '']) => view.connections?.(user, qualifier) ?? [],
      }),
      9: adminEnumeration({
        name: 'NetrFileEnum',
        layouts: fileInfo,
        filters: 2,
        async list(user, [path = '', userName = '']) {
          const opens = (await view.opens?.(user)) ?? []
          return opens.filter(open => (userName === '' || same(open.userName, userName)) && open.path.toUpperCase().startsWith(path.toUpperCase()))
        },
      }),
      10: operation({
        name: 'NetrFileGetInfo',
        input: { serverName: unique(wideString), id: u32, level: u32 },
        output: { info: union(u32, arms(fileInfo)), status: u32 },
        async handle({ id, level }, { user }) {
          if (!hasLevel(fileInfo, level)) return { info: empty(level), status: winError.invalidLevel }
          if (!user.isAdmin) return { info: empty(level), status: winError.accessDenied }
          const open = ((await view.opens?.(user)) ?? []).find(open => open.id === id)
          if (open === undefined) return { info: empty(level), status: winError.fileNotFound }
          return { info: { level, value: open }, status: winError.success }
        },
      }),
      11: operation({
        name: 'NetrFileClose',
        input: { serverName: unique(wideString), id: u32 },
        output: { status: u32 },
        async handle({ id }, { user }) {
          if (!user.isAdmin) return { status: winError.accessDenied }
          return { status: (await view.closeOpen?.(id)) === true ? winError.success : winError.fileNotFound }
        },
      }),
      12: adminEnumeration({
        name: 'NetrSessionEnum',
        layouts: sessionInfo,
        filters: 2,
        async list(user, [client = '', userName = '']) {
          const sessions = (await view.sessions?.(user)) ?? []
          const clientName = withoutBackslashes(client)
          return sessions
            .filter(session => (userName === '' || same(session.userName, userName)) && (clientName === '' || same(session.clientName, clientName)))
            .map(session => sessionValues(session))
        },
      }),
      13: operation({
        name: 'NetrSessionDel',
        input: { serverName: unique(wideString), clientName: unique(wideString), userName: unique(wideString) },
        output: { status: u32 },
        async handle({ clientName, userName }, { user }) {
          if (!user.isAdmin) return { status: winError.accessDenied }
          // (3.1.4.6) all there are is not what may be asked for.
          const which = { clientName: withoutBackslashes(clientName ?? ''), userName: userName ?? '' }
          if (which.clientName === '' && which.userName === '') return { status: winError.clientNameNotFound }
          const ended = (await view.closeSessions?.(which)) ?? 0
          return { status: ended > 0 ? winError.success : winError.clientNameNotFound }
        },
      }),
      15: shareEnumeration(view, 'NetrShareEnum'),
      16: operation({
        name: 'NetrShareGetInfo',
        input: { serverName: unique(wideString), netName: wideString, level: u32 },
        output: { info: union(u32, arms(shareInfo)), status: u32 },
        async handle({ netName, level }, { user }) {
          if (!hasLevel(shareInfo, level)) return { info: empty(level), status: winError.invalidLevel }
          if (adminShareLevels.has(level) && !user.isAdmin) return { info: empty(level), status: winError.accessDenied }
          const share = (await view.shares(user)).find(({ name }) => same(name, netName))
          if (share === undefined) return { info: empty(level), status: winError.netNameNotFound }
          return { info: { level, value: shareValues(view, share) }, status: winError.success }
        },
      }),
      21: operation({
        name: 'NetrServerGetInfo',
        input: { serverName: unique(wideString), level: u32 },
        output: { info: union(u32, arms(serverInfo)), status: u32 },
        handle({ level }, { user }) {
          if (!hasLevel(serverInfo, level)) return { info: empty(level), status: winError.invalidLevel }
          if (level === 102 && !user.isAdmin) return { info: empty(level), status: winError.accessDenied }
          const value = {
            platform: platformNt,
            name: view.serverName,
            major,
            minor,
            type: serverType,
            comment: view.comment,
            users: 0xffff_ffff,
            disconnectMinutes: 15,
            hidden: 0,
            announceSeconds: 240,
            announceDelta: 3000,
            licenses: 0,
            userPath: 'C:\\',
          }
          return { info: { level, value }, status: winError.success }
        },
      }),
      28: operation({
        name: 'NetrRemoteTOD',
        input: { serverName: unique(wideString) },
        output: { time: unique(timeOfDay), status: u32 },
        handle() {
          const now = view.clock?.() ?? new Date()
          return {
            time: {
              elapsedSeconds: Math.floor(now.getTime() / 1000),
              milliseconds: now.getTime() % 0x1_0000_0000,
              hours: now.getUTCHours(),
              minutes: now.getUTCMinutes(),
              seconds: now.getUTCSeconds(),
              hundredths: Math.floor(now.getUTCMilliseconds() / 10),
              timezoneMinutes: now.getTimezoneOffset(),
              tickTenthsOfMs: 310,
              day: now.getUTCDate(),
              month: now.getUTCMonth() + 1,
              year: now.getUTCFullYear(),
              weekday: now.getUTCDay(),
            },
            status: winError.success,
          }
        },
      }),
      30: operation({
        name: 'NetprPathType',
        input: { serverName: unique(wideString), path: wideString, flags: u32 },
        output: { type: u32, status: u32 },
        handle({ path }) {
          const type = pathType(path)
          return type === undefined ? { type: 0, status: winError.invalidName } : { type, status: winError.success }
        },
      }),
      32: operation({
        name: 'NetprPathCompare',
        input: { serverName: unique(wideString), path1: wideString, path2: wideString, type: u32, flags: u32 },
        output: { result: i32 },
        handle: ({ path1, path2 }) => ({ result: comparePaths(canonicalizePath(path1), canonicalizePath(path2)) }),
      }),
      33: operation({
        name: 'NetprNameValidate',
        input: { serverName: unique(wideString), name: wideString, type: u32, flags: u32 },
        output: { status: u32 },
        handle: ({ name, type }) => ({ status: isNameValid(name, type) ? winError.success : winError.invalidName }),
      }),
      35: operation({
        name: 'NetprNameCompare',
        input: { serverName: unique(wideString), name1: wideString, name2: wideString, type: u32, flags: u32 },
        output: { result: i32 },
        handle: ({ name1, name2 }) => ({ result: comparePaths(name1, name2) }),
      }),
      36: shareEnumeration(view, 'NetrShareEnumSticky'),
    },
  }
}
