/** What a client's bytes ask for, and whom: requests where they lie, one after the other (RFC 9112 9.3.2). */
import { scanRequestHead } from '@holdfast/http'
import type { BadHead, HeadLimits, RequestHead } from '@holdfast/http'
import type { Agent } from './agents.ts'
import type { DirectorMode } from './options.ts'

/** Longest head: beyond it 431. */
export const headBytesMax = 65_536
/** What of a head is read here; servers have limits of their own. */
export const headLimits: HeadLimits = { headBytesMax, targetBytesMax: 32_768, fieldsMax: 500 }

/** Who is to have a request. */
export type Choose = (host: string, target: string) => Agent | undefined

/** What stands at the beginning of some bytes. One object is used again and again. */
export interface Stretch {
  /** `partial`: a head that has not ended. `bad`: no head. `requests`: one or more whole heads for one owner, with what is there of their contents. */
  kind: 'partial' | 'bad' | 'requests'
  /** Of `bad`, and only of that. */
  bad: BadHead | undefined
  /** Of `requests`, and only of that: the first head. */
  head: RequestHead | undefined
  /** Of `requests`: the owner; undefined when nobody is healthy. */
  agent: Agent | undefined
  /** Of `requests`: bytes from the beginning that are for the owner. */
  bytes: number
  /** Of `requests`: where the next request begins, counted from the beginning; it may be behind what is there. */
  next: number
  /** Of `requests`: whatever follows is for the same owner. */
  isLast: boolean
  /** Of `requests`: the head has to get `Connection: close`, so that nothing can follow. */
  mustClose: boolean
  /** Of `requests`: what follows may be another protocol. */
  upgrade: boolean
}

const stretch: Stretch = {
  kind: 'partial',
  bad: undefined,
  head: undefined,
  agent: undefined,
  bytes: 0,
  next: 0,
  isLast: false,
  mustClose: false,
  upgrade: false,
}

/** Reads `bytes[from, end)`, at whose beginning a request should begin. The result is good until the next. */
export function readStretch(bytes: Buffer, from: number, end: number, mode: DirectorMode, choose: Choose): Stretch {
  const head = scanRequestHead(bytes, from, end, headLimits)
  if (head === 'more' || 'status' in head) {
    stretch.kind = head === 'more' ? 'partial' : 'bad'
    stretch.bad = head === 'more' ? undefined : head
    stretch.head = undefined
    return stretch
  }
  stretch.kind = 'requests'
  stretch.bad = undefined
  stretch.head = head
  stretch.agent = choose(head.host, head.target)
  stretch.upgrade = head.upgrade
  stretch.mustClose = mustClose(head, mode)
  stretch.isLast = stretch.mustClose || mode !== 'per-request' || head.close || head.method === 'CONNECT'
  stretch.bytes = end - from
  stretch.next = head.headBytes + head.contentBytes
  if (!stretch.isLast && !stretch.upgrade) walk(bytes, from, end, choose)
  // The client speaks another protocol already, before it was told that it may: then it is not looked at.
  if (stretch.upgrade && stretch.next < stretch.bytes) stretch.isLast = true
  return stretch
}

/** Where the length of what follows can't be known without reading all of it, and where only one request is wanted. */
const mustClose = (head: RequestHead, mode: DirectorMode): boolean =>
  !head.close && !head.upgrade && (mode === 'close' || (mode === 'per-request' && head.content === 'chunked'))

/** Goes on over requests that are there whole and for the same owner. */
function walk(bytes: Buffer, from: number, end: number, choose: Choose): void {
  const { agent } = stretch
  while (from + stretch.next < end) {
    const head = scanRequestHead(bytes, from + stretch.next, end, headLimits)
    const isPlain = head !== 'more' && !('status' in head) && !head.upgrade && head.content !== 'chunked'
    if (!isPlain || choose(head.host, head.target) !== agent) break
    stretch.next += head.headBytes + head.contentBytes
    if (!head.close) continue
    stretch.isLast = true
    return
  }
  stretch.bytes = Math.min(end - from, stretch.next)
}
