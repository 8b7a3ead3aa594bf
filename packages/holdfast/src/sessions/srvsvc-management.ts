/** What srvsvc shows administrators of the node, and does for them (MS-SRVS 3.1.4.2 to 3.1.4.6). */

import type { WorkerNode } from '@holdfast/engine'
import type { SmbServerOptions } from '@holdfast/smb/server'
import type { Page, PageRequest } from '../resources/page.ts'
import { openService } from './node-opens.ts'
import type { OpenView } from './open-service.ts'
import type { SessionView } from './service.ts'
import { sessionService } from './session-service.ts'

type Management = NonNullable<SmbServerOptions['management']>

/** Pages are as large as they can be: what asks takes all at once. */
const limit = 1000

async function all<Item>(list: (page: PageRequest) => Promise<Page<Item>>): Promise<Item[]> {
  const items: Item[] = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page: Page<Item> = await list({ limit, cursor })
    items.push(...page.items)
    cursor = page.next
  }
  return items
}

/** FILE_INFO_3 has 32 bits for an id that has 64, and clients take it for a signed number: no two opens of a node have the same, as a rule. */
export function shortOpenId(id: string): number {
  const [high, low] = [id.slice(0, 8), id.slice(8)].map(half => Number.parseInt(half, 16))
  return (Math.imul(high, 0x9e37_79b1) ^ low) & 0x7fff_ffff
}

/** PERM_FILE_READ, PERM_FILE_WRITE, PERM_FILE_CREATE (MS-SRVS 2.2.4.7). */
const permissions: Readonly<Record<string, number>> = { read: 1, execute: 1, write: 2, append: 2, delete: 4 }

const permissionsOf = ({ access }: OpenView): number => access.split(' ').reduce((bits, word) => bits | (permissions[word] ?? 0), 0)

const secondsSince = (time: string | undefined): number => (time === undefined ? 0 : Math.max(0, Math.floor((Date.now() - Date.parse(time)) / 1000)))

/** Over all workers of the node; sessions of SMB only. */
export function srvsvcManagement(node: Pick<WorkerNode, 'workers' | 'call'>): Management {
  const [sessions, opens] = [sessionService(node), openService(node)]
  const smbSessions = async (): Promise<SessionView[]> => (await all(page => sessions.list(page))).filter(({ protocol }) => protocol === 'smb')
  return {
    async sessions() {
      return (await smbSessions()).map(({ client, user, opens, since, lastActive }) => ({
        clientName: client.address,
        userName: user,
        opens,
        activeSeconds: secondsSince(since),
        idleSeconds: secondsSince(lastActive ?? since),
      }))
    },
    async opens() {
      return (await all(page => opens.list(page))).map(open => ({
        id: shortOpenId(open.id),
        permissions: permissionsOf(open),
        locks: open.locks,
        path: `C:\\${open.share}\\${open.path.replaceAll('/', '\\')}`,
        userName: open.user,
      }))
    },
    async closeSessions({ clientName, userName }) {
      const isAskedFor = ({ client, user }: SessionView): boolean =>
        (clientName === '' || client.address === clientName) && (userName === '' || user.toUpperCase() === userName.toUpperCase())
      const asked = (await smbSessions()).filter(isAskedFor)
      const ended = await Promise.allSettled(asked.map(({ id }) => sessions.disconnect(id)))
      return ended.filter(({ status }) => status === 'fulfilled').length
    },
    async closeOpen(id) {
      const [open, another] = (await all(page => opens.list(page))).filter(open => shortOpenId(open.id) === id)
      // Nobody's file is closed for another's.
      if (open === undefined || another !== undefined) return false
      return opens.close(open.id).then(
        () => true,
        () => false,
      )
    },
  }
}
