/** What the main thread and the data thread say to each other. */

import type { MessagePort } from 'node:worker_threads'
import type { Endpoint } from './options.ts'
import type { ServerAgentStatus } from './status.ts'

/** What the data thread begins with. */
export interface ThreadStart {
  readonly port: MessagePort
  readonly interfaces: readonly string[]
  readonly listen: Endpoint
  readonly local: Endpoint
  readonly key: Uint8Array
  readonly pinDirectory: string | undefined
  readonly attach: 'auto' | 'tcx' | 'clsact'
  readonly idleMs: number
  readonly capacity: number
}

/** To the data thread; the sender signals its `wakeDescriptor` then. */
export type ToThread = { readonly ask: 'status'; readonly id: number } | { readonly ask: 'end' }

/** From the data thread. */
export type FromThread =
  | { readonly say: 'ready'; readonly wakeDescriptor: number; readonly notices: readonly string[] }
  | { readonly say: 'failed'; readonly error: Error; readonly code: string | undefined }
  | { readonly say: 'status'; readonly id: number; readonly status: ServerAgentStatus }
