/** What a process and one of its data threads say to each other, whatever the thread does; each kind of thread adds its own. */

import type { MessagePort } from 'node:worker_threads'

/** What every data thread begins with. */
export interface ThreadStart {
  readonly port: MessagePort
}

/** To a data thread; the sender signals its `wakeDescriptor` then. */
export type ToThread<Own> = { readonly ask: 'status'; readonly id: number } | { readonly ask: 'end' } | { readonly ask: 'own'; readonly own: Own }

/** From a data thread. */
export type FromThread<Status, Own> =
  | { readonly say: 'ready'; readonly wakeDescriptor: number }
  | { readonly say: 'notice'; readonly notice: string }
  | { readonly say: 'status'; readonly id: number; readonly status: Status }
  | { readonly say: 'failed'; readonly error: Error; readonly code: string | undefined }
  | { readonly say: 'own'; readonly own: Own }
