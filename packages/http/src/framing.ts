/** How a listener of HTTP cuts its bytes (RFC 9112): requests, each with its content. */

import { readChunked } from './chunked.ts'
import { type HeadLimits, scanRequestHead } from './head.ts'

/** What a listener's framing looks like to the engine (its `Framing`). */
export interface HttpFraming {
  readonly headerBytes: number
  readonly leadBytes: number
  frameBytes(bytes: Buffer, at: number, end: number, variant?: number): number
  writeHeader(into: Buffer, at: number, lengthBytes: number): void
}

/** How long a request may be. */
export interface RequestLimits extends HeadLimits {
  /** Of its content; beyond it: 413. */
  readonly contentBytesMax: number
}

/** Variants of the framing, for `Connection.reframe`. */
export const FramingVariant = {
  /** A request: its head, with its content. */
  request: 0,
  /** The rest of a request whose head has been cut alone, since its client waits for 100 (Continue): as it arrives. */
  content: 1,
} as const

/**
 * Cuts heads together with their content, as long as that is within its limit. A head is cut alone where the content is too long (the application answers
 * 413), and where the client waits for 100 (Continue) before it sends any (RFC 9110 10.1.1). What is no request is cut at once, with all there is of it, so
 * that the application can say why.
 *
 * @example
 * const framing = requestFraming({ ...requestHeadLimits, contentBytesMax: 0 })
 * const bytes = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\nGET')
 * framing.frameBytes(bytes, 0, bytes.length) // => 27
 */
export function requestFraming(limits: RequestLimits): HttpFraming {
  return {
    headerBytes: 0,
    leadBytes: 1,
    frameBytes(bytes, at, end, variant = FramingVariant.request) {
      if (variant === FramingVariant.content) return end - at
      const head = scanRequestHead(bytes, at, end, limits)
      if (head === 'more') return 0
      if ('status' in head) return end - at
      const { headBytes, content, contentBytes } = head
      if (content === 'none' || (head.expectsContinue && at + headBytes === end)) return headBytes
      if (content === 'length') return contentBytes <= limits.contentBytesMax ? headBytes + contentBytes : headBytes
      const read = readChunked(bytes, { at: at + headBytes, end, dataBytesMax: limits.contentBytesMax })
      if (read === 'more') return 0
      // What is malformed is looked at by the application, with all that there is of it.
      return typeof read === 'object' ? read.end - at : end - at
    },
    writeHeader() {},
  }
}
