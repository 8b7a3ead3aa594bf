/** What the main thread and the data thread say to each other. */
import type { MessagePort } from 'node:worker_threads'
import type { Route } from '../owners/index.ts'
import type { ProxyRequest } from './core.ts'
import type { DirectorEndpoint, DirectorMode, DirectorOptions } from './options.ts'
import type { DirectorMetrics, DirectorStatus } from './status.ts'

/** What the data thread begins with. */
export interface ThreadStart {
  readonly port: MessagePort
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

/** To the data thread; the sender signals its `wakeDescriptor` then. */
export type ToThread =
  | { readonly ask: 'status'; readonly id: number }
  | { readonly ask: 'routes'; readonly routes: readonly Route[] }
  | { readonly ask: 'end' }

/** From the data thread. */
export type FromThread =
  | { readonly say: 'ready'; readonly wakeDescriptor: number }
  | { readonly say: 'notice'; readonly notice: string }
  | { readonly say: 'proxy'; readonly request: ProxyRequest }
  | { readonly say: 'status'; readonly id: number; readonly status: ThreadStatus }
  | { readonly say: 'failed'; readonly error: Error; readonly code: string | undefined }
