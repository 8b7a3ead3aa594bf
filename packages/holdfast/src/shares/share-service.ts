/** Managing the shares of a node from any of its workers. */

import type { WorkerNode } from '@holdfast/engine'
import type { SmbShareUse } from '@holdfast/smb/server'
import { quoted } from '../config/errors.ts'
import { shareOptionWords } from '../config/shares.ts'
import type { NodeShare } from '../node/node-config.ts'
import { askWorkers } from '../node/tell-workers.ts'
import { ResourceError } from '../resources/errors.ts'
import { pageOf } from '../resources/page.ts'
import { opensObject } from '../sessions/worker-opens.ts'
import { checkShare } from './checks.ts'
import type { ShareService, ShareView } from './service.ts'
import type { StoredShare } from './share-store.ts'
import type { WorkerShares } from './worker-shares.ts'

/** What the service is made of. */
export interface ShareServiceOptions {
  readonly node: Pick<WorkerNode, 'workers' | 'call'>
  /** Of the worker that is asked. */
  readonly shares: Pick<WorkerShares, 'stored' | 'create' | 'change' | 'delete'>
  readonly configured: readonly NodeShare[]
  readonly stateDir: string
}

const keyOf = ({ name }: { readonly name: string }): string => name.toUpperCase()

/** See `ShareService`. */
export function shareService({ node, shares, configured, stateDir }: ShareServiceOptions): ShareService {
  const all = async (): Promise<readonly ShareView[]> => {
    const [stored, uses] = await Promise.all([shares.stored(), askWorkers<readonly SmbShareUse[]>(node, opensObject, 'uses', undefined)])
    const views = [...configured.map(configuredView), ...stored.map(storedView)]
    const used = sumOf(uses.flat())
    return views.map(view => ({ ...view, ...used.get(keyOf(view)) }))
  }
  const get = async (name: string): Promise<ShareView> => {
    const found = (await all()).find(view => keyOf(view) === name.toUpperCase())
    if (found === undefined) throw new ResourceError('UNKNOWN_SHARE', `there is no share ${quoted(name)}`)
    return found
  }
  return {
    list: async page => pageOf(await all(), keyOf, page),
    get,
    check: async share => checkShare(share, stateDir),
    async create(share, options) {
      await shares.create(share, options)
      return get(share.name)
    },
    async change(name, change) {
      await shares.change(name, change)
      return get(name)
    },
    delete: (name, options) => shares.delete(name, options),
  }
}

const configuredView = (share: NodeShare): ShareView => ({
  name: share.name,
  path: share.source.kind === 'directory' ? share.source.path : '',
  options: shareOptionWords(share),
  ...(share.comment !== '' && { comment: share.comment }),
  origin: 'configuration',
})

const storedView = ({ name, path, options, comment, problem }: StoredShare & { readonly problem?: string }): ShareView => ({
  name,
  path,
  options,
  ...(comment !== '' && { comment }),
  origin: 'api',
  ...(problem !== undefined && { problem }),
})

function sumOf(uses: readonly SmbShareUse[]): ReadonlyMap<string, Required<Pick<ShareView, 'sessions' | 'opens'>>> {
  const sums = new Map<string, { sessions: number; opens: number }>()
  for (const { share, connections, opens } of uses) {
    const key = share.toUpperCase()
    const { sessions, opens: before } = sums.get(key) ?? { sessions: 0, opens: 0 }
    sums.set(key, { sessions: sessions + connections, opens: before + opens })
  }
  return sums
}
