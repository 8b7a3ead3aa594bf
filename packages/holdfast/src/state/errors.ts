/** The state folder cannot be used as it is. `code` is stable; the message says what to do. */
export class StateError extends Error {
  readonly code: string
  constructor(
    code: 'STATE_FOLDER' | 'STATE_KEY' | 'STATE_CORRUPT' | 'STATE_IN_USE' | 'UNKNOWN_USER' | 'BAD_USER' | 'USER_EXISTS',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = 'StateError'
    this.code = code
  }
}
