/** The peer sent something wrong; the connection pays, nobody else. `code` is stable. */
export class MalformedError extends Error {
  readonly code: string
  constructor(code: string, message: string = code, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MalformedError'
    this.code = code
  }
}

/** The caller of our API did something wrong. `code` is stable. */
export class UsageError extends Error {
  readonly code: string
  constructor(code: string, message: string = code, options?: ErrorOptions) {
    super(message, options)
    this.name = 'UsageError'
    this.code = code
  }
}
