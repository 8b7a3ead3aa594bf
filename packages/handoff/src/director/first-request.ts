/** The first request of a connection, as it lies in its socket: it is looked at, and stays there for whoever goes on with the connection. */
import { peek } from '@holdfast/posix/network'
import type { Core, ProxyRequest } from './core.ts'
import { gatheredBytesMax } from './gathered.ts'
import { headBytesMax, readStretch } from './requests.ts'
import type { Stretch } from './requests.ts'

/** What was looked at last. One object is used again and again. */
export interface First {
  readonly bytes: Buffer
  /** How many there are; 0 or -errno when there are none. */
  count: number
  stretch: Stretch | undefined
}

/** What `readFirst` has read. */
export const first: First = { bytes: Buffer.alloc(headBytesMax), count: 0, stretch: undefined }

/** Reads what has come so far to `first`. */
export function readFirst(core: Core, fd: number): First {
  first.count = peek(fd, first.bytes, 0, first.bytes.length)
  first.stretch = first.count > 0 ? readStretch(first.bytes, 0, first.count, core.mode, core.choose) : undefined
  return first
}

/** Whether it can be handed over: somebody is there to take it, and it fits. */
export const isFit = ({ stretch, count }: First): boolean => stretch?.kind === 'requests' && stretch.agent !== undefined && count <= gatheredBytesMax

/** What the main thread is to do with a connection whose first bytes are in `first`. */
export function proxyRequest(core: Core, fd: number, { stretch, count }: First): ProxyRequest {
  if (stretch?.bad !== undefined) return { fd, servers: [], answer: stretch.bad }
  if (stretch?.head !== undefined) return { fd, servers: core.agents.servers(stretch.head.host, stretch.head.target).map(({ text }) => text) }
  if (count >= headBytesMax) return { fd, servers: [], answer: { status: 431, detail: 'The head of the request is too long.' } }
  return { fd, servers: [], answer: { status: 408, detail: 'The head of the request did not come.' } }
}
