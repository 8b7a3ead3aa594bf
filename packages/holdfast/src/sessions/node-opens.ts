/** The open files of a node from any of its workers. */

import type { WorkerNode } from '@holdfast/engine'
import type { SmbOpenFilter, SmbOpenView } from '@holdfast/smb/server'
import { quoted } from '../config/errors.ts'
import { askWorkers } from '../node/tell-workers.ts'
import { ResourceError } from '../resources/errors.ts'
import { pageOf, partOf } from '../resources/page.ts'
import type { OpenFilter, OpenService, OpenView } from './open-service.ts'
import { openIdOf, openView } from './open-views.ts'
import { type OpenPart, opensObject } from './worker-opens.ts'

/** See `OpenService`. */
export function openService(node: Pick<WorkerNode, 'workers' | 'call'>): OpenService {
  const idOf = (text: string): bigint => {
    const id = openIdOf(text)
    if (id === undefined) throw unknown(text)
    return id
  }
  return {
    async list(page = {}) {
      const filter = filterOf(page)
      // No session has that id, or no open was listed up to there.
      if (filter === undefined) return { items: [], next: null }
      const { limit, cursor } = partOf(page)
      const after = cursor === undefined ? undefined : openIdOf(cursor)
      const part: OpenPart = { limit, filter, ...(after !== undefined && { after }) }
      const parts = await askWorkers<readonly SmbOpenView[]>(node, opensObject, 'list', part)
      return pageOf(parts.flat().map(openView), ({ id }) => id, page)
    },
    async get(text) {
      const found = await askWorkers<SmbOpenView | undefined>(node, opensObject, 'get', idOf(text))
      const open = found.find(view => view !== undefined)
      if (open === undefined) throw unknown(text)
      return openView(open) satisfies OpenView
    },
    async close(text) {
      if (!(await askWorkers<boolean>(node, opensObject, 'close', idOf(text))).includes(true)) throw unknown(text)
    },
  }
}

const unknown = (id: string): ResourceError => new ResourceError('UNKNOWN_OPEN', `there is no open file ${quoted(id)}`)

/** Undefined where it can fit no open. */
function filterOf({ share, user, session }: OpenFilter): SmbOpenFilter | undefined {
  const number = session === undefined ? undefined : /^smb-([0-9a-f]{8})$/.exec(session)?.[1]
  if (session !== undefined && number === undefined) return undefined
  return {
    ...(share !== undefined && { share }),
    ...(user !== undefined && { user }),
    ...(number !== undefined && { session: Number.parseInt(number, 16) }),
  }
}
