/** What the main thread and the data thread say to each other: it is asked for other routes, and says what is to be proxied. */
import type { ThreadStart as AnyThreadStart } from '../loop/index.ts'
import type { Route } from '../owners/index.ts'
import type { DirectorEndpoint, DirectorMode, DirectorOptions } from './options.ts'
import type { DirectorMetrics, DirectorStatus } from './status.ts'

/** What the data thread begins with. */
export interface ThreadStart extends AnyThreadStart {
  readonly vip: DirectorEndpoint
  readonly interface: string
  readonly key: Uint8Array
  readonly routes: readonly Route[]
  readonly mode: DirectorMode
  readonly pinDirectory: string | undefined
  readonly attach: NonNullable<DirectorOptions['attach']>
  readonly forward: NonNullable<DirectorOptions['forward']>
  readonly raisePort: number
  readonly idleMs: number
  readonly headMs: number
}

/** What of the metrics the main thread counts. */
export type ProxyMetrics = Pick<DirectorMetrics, 'proxied' | 'proxying' | 'answered'>

/** The data thread's part of the status. */
export type ThreadStatus = Omit<DirectorStatus, 'metrics'> & { readonly metrics: Omit<DirectorMetrics, keyof ProxyMetrics> }
