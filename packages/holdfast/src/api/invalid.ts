/** What the configuration's own readers say of a request, as the API says it. */

import { ManagementError } from '@holdfast/management'
import { ConfigError } from '../config/errors.ts'

/** `INVALID`, with what is wrong by field. */
class InvalidError extends ManagementError {
  readonly errors: readonly { readonly field: string; readonly message: string }[]
  constructor(field: string, message: string) {
    super('INVALID', `${field}: ${message}`)
    this.errors = [{ field, message }]
  }
}

/** The key, and what is said of it: `size: "x" is not allowed; allowed: …`, `size is missing; …`. */
const parts = /^(\w+)(?::| (?=is missing)) ?(.*)$/s

/** Runs what throws ConfigError. */
export function validated<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const [, field = '', message = error.message] = parts.exec(error.message) ?? []
    throw new InvalidError(field, message)
  }
}
