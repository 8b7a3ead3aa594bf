/** Requests of the management API: one a connection, and small. */

import { type BadHead, type HttpFraming, type HttpRequest, readRequest, requestFraming, type RequestLimits, type Unfinished } from '@holdfast/http'

const limits: RequestLimits = { headBytesMax: 8192, targetBytesMax: 2048, fieldsMax: 100, contentBytesMax: 64 * 1024 }

/** Longest request whose client waits for 100 (Continue): head and content, which is chunked at worst. */
export const requestBytesMax: number = 3 * limits.contentBytesMax

/** For the listeners of the management API: a request with its content, of at most 64 KiB; the head alone where its client waits for 100 (Continue). */
export const httpFraming: HttpFraming = requestFraming(limits)

/** Reads one; a status for what must be refused. */
export const readApiRequest = (bytes: Buffer): HttpRequest | BadHead | Unfinished => readRequest(bytes, limits)
