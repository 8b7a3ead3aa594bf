/** NT status numbers that authentication answers with (MS-ERREF 2.3.1). */
export const authStatus = Object.freeze({
  invalidParameter: 0xc000000d,
  accessDenied: 0xc0000022,
  logonFailure: 0xc000006d,
  accountRestriction: 0xc000006e,
  notSupported: 0xc00000bb,
  internalError: 0xc00000e5,
})

/** Authentication did not succeed. `status` is what SESSION_SETUP answers, `code` is stable and finer (for logs, never for the peer). */
export class AuthError extends Error {
  readonly code: string
  /** NT status number. */
  readonly status: number
  constructor(code: string, status: number, message: string = code, options?: ErrorOptions) {
    super(message, options)
    this.name = 'AuthError'
    this.code = code
    this.status = status
  }
}
