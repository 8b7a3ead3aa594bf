/** Responses of the management API, bytes out. The connection ends with each. */

import { reasonOf, responseHead } from '@holdfast/http'
import type { Problem } from '../core/problems.ts'

/** What `writeResponse` makes bytes of. */
export interface HttpResponse {
  readonly status: number
  /** Left out where there is no content. */
  readonly contentType?: string
  readonly body: string | Uint8Array
  /** In place of those that every response has, or besides them. */
  readonly headers?: Readonly<Record<string, string>>
}

const general: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  Connection: 'close',
}

/** A whole response. `head` leaves out the body and keeps its length (RFC 9110 9.3.2). */
export function writeResponse(
  { status, contentType, body, headers = {} }: HttpResponse,
  options: { readonly head?: boolean; readonly date?: Date } = {},
): Buffer {
  const content = typeof body === 'string' ? Buffer.from(body, 'utf8') : body
  // A response without content says nothing about it (RFC 9110 8.6).
  const isBare = status === 204 || status === 304
  const head = responseHead(status, {
    Date: (options.date ?? new Date()).toUTCString(),
    ...(!isBare && { ...(contentType !== undefined && { 'Content-Type': contentType }), 'Content-Length': String(content.length) }),
    ...general,
    ...headers,
  })
  return Buffer.concat([Buffer.from(head, 'latin1'), options.head || isBare ? Buffer.alloc(0) : content])
}

/** The head of a response of unknown length that ends with its connection (RFC 9112 6.3, 8): an event stream. No proxy shall keep any of it back. */
export function writeStreamHead(options: { readonly date?: Date } = {}): Buffer {
  const headers = { 'Content-Type': 'text/event-stream', ...general, 'X-Accel-Buffering': 'no' }
  return Buffer.from(responseHead(200, { Date: (options.date ?? new Date()).toUTCString(), ...headers }), 'latin1')
}

/** JSON in a line. */
export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): HttpResponse => ({
  status,
  contentType: 'application/json',
  body: `${JSON.stringify(value)}\n`,
  headers,
})

/** RFC 9457. */
export const problemResponse = (problem: Problem, headers: Readonly<Record<string, string>> = {}): HttpResponse => ({
  status: problem.status,
  contentType: 'application/problem+json',
  body: `${JSON.stringify(problem)}\n`,
  headers,
})

const codes: Readonly<Record<number, string>> = { 413: 'TOO_LARGE', 431: 'TOO_LARGE', 414: 'TOO_LARGE' }

/** A problem of what is no request: the `code` is of its status. */
export const badRequestResponse = ({ status, detail }: { readonly status: number; readonly detail: string }): HttpResponse =>
  problemResponse({ type: 'about:blank', title: reasonOf(status), status, detail, code: codes[status] ?? 'MALFORMED' })
