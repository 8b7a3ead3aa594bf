import type { ThreadStart as AnyThreadStart } from '../loop/index.ts'
import type { Endpoint } from './options.ts'

/** What an agent's data thread begins with. */
export interface ThreadStart extends AnyThreadStart {
  readonly interfaces: readonly string[]
  readonly listen: Endpoint
  readonly local: Endpoint
  readonly key: Uint8Array
  readonly pinDirectory: string | undefined
  readonly attach: 'auto' | 'tcx' | 'clsact'
  readonly idleMs: number
  readonly capacity: number
}
