/** What the API says instead of what it was asked for: by `code`, everywhere with the same words. */

import type { z } from 'zod'
import type * as s from '../api/schemas.ts'

/** RFC 9457, with a `code` that is stable. */
export type Problem = z.output<typeof s.Problem>

/** Status and title by `code`. Codes that are not here are known by their beginning or end (`families`). */
const problems: Readonly<Record<string, readonly [status: number, title: string]>> = {
  MALFORMED: [400, 'Malformed'],
  NOT_LOGGED_IN: [401, 'Not logged in'],
  WRONG_CREDENTIALS: [401, 'Wrong user or password'],
  FORBIDDEN: [403, 'Forbidden'],
  CSRF: [403, 'Not from a page of this node'],
  METHOD_NOT_ALLOWED: [405, 'Method not allowed'],
  OPERATION_ENDED: [409, 'The operation has ended'],
  NOT_CANCELLABLE: [409, 'The operation cannot be cancelled any more'],
  LAST_ADMIN: [409, 'The last administrator'],
  SHARE_CONFIGURED: [409, 'Set by the configuration'],
  USER_CONFIGURED: [409, 'Set by the configuration'],
  SNAPSHOTS_UNSUPPORTED: [409, 'No snapshots here'],
  SIZE_TOO_SMALL: [409, 'The size is too small'],
  CANCELLED: [409, 'Cancelled'],
  TOO_LARGE: [413, 'Too large'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'Unsupported media type'],
  INVALID: [422, 'Not as it should be'],
  IDEMPOTENCY_KEY_REUSED: [422, 'The key belongs to another request'],
  INTERNAL: [500, 'Failed inside'],
  UNAVAILABLE: [503, 'Not available now'],
  CLOSED: [503, 'Not available now'],
  NOT_OWNER: [503, 'Not available now'],
  GONE: [503, 'Not available now'],
  STATE_UNAVAILABLE: [503, 'Not available now'],
  WORKER_LOST: [503, 'Not available now'],
  NO_SUCH_OBJECT: [503, 'Not available now'],
  NO_SPACE: [507, 'No space left'],
}

const families: readonly (readonly [pattern: RegExp, status: number, title: string])[] = [
  [/^UNKNOWN_/, 404, 'Unknown'],
  [/_EXISTS$/, 409, 'Exists already'],
  [/^INVALID_/, 422, 'Not as it should be'],
  [/^TOO_MANY_/, 429, 'Too many'],
]

/** An error of the management API, with the `code` of its problem; the message is the problem's `detail`. */
export class ManagementError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ManagementError'
    this.code = code
  }
}

/** The problem of an error that has a `code` of the API. Undefined for any other: what it says is for the log, not for clients. */
export function knownProblemOf(error: unknown): Problem | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  const { code, message } = error
  const family = families.find(([pattern]) => pattern.test(code))
  const [status, title] = Object.hasOwn(problems, code) ? problems[code] : family === undefined ? [] : family.slice(1)
  if (typeof status !== 'number' || typeof title !== 'string') return undefined
  const errors = 'errors' in error ? (error.errors as Problem['errors']) : undefined // of `INVALID`, by whoever throws it
  return { type: 'about:blank', title, status, detail: message, code, ...(errors !== undefined && { errors }) }
}

/** The problem of any error. */
export function problemOf(error: unknown): Problem {
  return knownProblemOf(error) ?? internalProblem
}

const internalProblem: Problem = {
  type: 'about:blank',
  title: 'Failed inside',
  status: 500,
  detail: 'The node could not do this; its log says why.',
  code: 'INTERNAL',
}
