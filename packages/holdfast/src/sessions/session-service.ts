/** The sessions of a node from any of its workers. */

import type { WorkerNode } from '@holdfast/engine'
import { quoted } from '../config/errors.ts'
import { askWorkers } from '../node/tell-workers.ts'
import { ResourceError } from '../resources/errors.ts'
import { pageOf, partOf } from '../resources/page.ts'
import type { SessionService, SessionView } from './service.ts'
import { sessionObjects, type SessionUser } from './worker-sessions.ts'

type Caller = Pick<WorkerNode, 'workers' | 'call'>

const objects = Object.values(sessionObjects)

/** All answers of all workers, about both protocols. */
async function askAll<Answer>(node: Caller, method: string, argument: unknown): Promise<Answer[]> {
  return (await Promise.all(objects.map(object => askWorkers<Answer>(node, object, method, argument)))).flat()
}

/** See `SessionService`. */
export function sessionService(node: Caller): SessionService {
  const unknown = (id: string): ResourceError => new ResourceError('UNKNOWN_SESSION', `there is no session ${quoted(id)}`)
  return {
    async list(page = {}) {
      const parts = await askAll<readonly SessionView[]>(node, 'list', partOf(page))
      return pageOf(parts.flat(), ({ id }) => id, page)
    },
    async get(id) {
      const found = (await askAll<SessionView | undefined>(node, 'get', id)).find(view => view !== undefined)
      if (found === undefined) throw unknown(id)
      return found
    },
    async disconnect(id) {
      if (!(await askAll<boolean>(node, 'disconnect', id)).includes(true)) throw unknown(id)
    },
  }
}

/** Ends all sessions of a user on all workers, over both protocols. */
export async function disconnectUser(node: Caller, user: SessionUser): Promise<void> {
  await askAll<void>(node, 'disconnectUser', user)
}
