/** Where a server can be killed. */
import type { Side } from './relay.ts'
import type { StoreKill } from './store-trap.ts'

/** One place in the workload. */
export interface KillPoint {
  readonly kind: string
  readonly at: number
  readonly store?: StoreKill
  readonly message?: { readonly side: Side; readonly at: number; readonly afterMicroseconds: number }
  /** The server that is started then dies as well, while it takes over what the first one left. */
  readonly again?: StoreKill
  /** How often it dies. */
  readonly deaths: number
}

/** How many of each there are in a run that nothing disturbs. */
export interface Extent {
  readonly transactions: number
  readonly requests: number
  readonly responses: number
}

interface Kind {
  readonly of: keyof Extent
  readonly point: (at: number) => Omit<KillPoint, 'kind' | 'at'>
}

const request = (afterMicroseconds: number): Kind => ({
  of: 'requests',
  point: at => ({ message: { side: 'request', at, afterMicroseconds }, deaths: 1 }),
})

/** All kinds, by what the summary calls them. */
export const killPointKinds: Readonly<Record<string, Kind>> = {
  'before a transaction': { of: 'transactions', point: at => ({ store: { when: 'before', at }, deaths: 1 }) },
  'after a transaction': { of: 'transactions', point: at => ({ store: { when: 'after', at }, deaths: 1 }) },
  'after a transaction, and before the first of the next server': {
    of: 'transactions',
    point: at => ({ store: { when: 'after', at }, again: { when: 'before', at: 1 }, deaths: 2 }),
  },
  'after a transaction, and after the first of the next server': {
    of: 'transactions',
    point: at => ({ store: { when: 'after', at }, again: { when: 'after', at: 1 }, deaths: 2 }),
  },
  'at a response': { of: 'responses', point: at => ({ message: { side: 'response', at, afterMicroseconds: 0 }, deaths: 1 }) },
  'with a request': request(0),
  '100 us after a request': request(100),
  '300 us after a request': request(300),
  '1,000 us after a request': request(1000),
}

/** Every point of every kind whose name matches. */
export function allKillPoints(extent: Extent, kinds = /./): KillPoint[] {
  return Object.entries(killPointKinds)
    .filter(([kind]) => kinds.test(kind))
    .flatMap(([kind, { of, point }]) => Array.from({ length: extent[of] }, (_, index) => ({ kind, at: index + 1, ...point(index + 1) })))
}

/** One of each kind, at different places of the workload. */
export function someKillPoints(extent: Extent): KillPoint[] {
  const kinds = Object.entries(killPointKinds)
  return kinds.map(([kind, { of, point }], index) => {
    const at = 1 + Math.floor((extent[of] * index) / kinds.length)
    return { kind, at, ...point(at) }
  })
}
