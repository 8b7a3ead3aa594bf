/** What the initiator throws: `IscsiError` from the transport, `ScsiError` from the disk. Both have a stable `code`. */
import { LoginStatus } from '../pdu/index.ts'

/**
 * What went wrong with the transport, for programs.
 *
 * `CONNECTION_FAILED` (no TCP connection), `CONNECTION_LOST` (and it did not come back in time), `CLOSED` (by ourselves), `TIMEOUT`,
 * `AUTHENTICATION_FAILED` (our name or secret), `TARGET_NOT_AUTHENTIC` (its secret, with mutual CHAP), `NOT_AUTHORIZED`, `NO_SUCH_TARGET`,
 * `LOGIN_FAILED` (any other refusal), `TARGET_UNAVAILABLE` (it may be there later), `REJECTED` (the target does not take a PDU),
 * `OUTCOME_UNKNOWN` (the connection was lost, and it cannot be told whether a command was carried out), `MALFORMED` (the target sent nonsense).
 */
export type IscsiErrorCode =
  | 'CONNECTION_FAILED'
  | 'CONNECTION_LOST'
  | 'CLOSED'
  | 'TIMEOUT'
  | 'AUTHENTICATION_FAILED'
  | 'TARGET_NOT_AUTHENTIC'
  | 'NOT_AUTHORIZED'
  | 'NO_SUCH_TARGET'
  | 'LOGIN_FAILED'
  | 'TARGET_UNAVAILABLE'
  | 'REJECTED'
  | 'OUTCOME_UNKNOWN'
  | 'MALFORMED'

/** The transport fails. `status` is the target's login status (RFC 7143 11.13.5) where it sent one. */
export class IscsiError extends Error {
  readonly code: IscsiErrorCode
  readonly status: number | undefined

  constructor(code: IscsiErrorCode, message: string, details: { readonly status?: number; readonly cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'IscsiError'
    this.code = code
    this.status = details.status
  }
}

const loginCodes: Readonly<Record<number, IscsiErrorCode>> = {
  [LoginStatus.authenticationFailure]: 'AUTHENTICATION_FAILED',
  [LoginStatus.authorizationFailure]: 'NOT_AUTHORIZED',
  [LoginStatus.notFound]: 'NO_SUCH_TARGET',
  [LoginStatus.targetRemoved]: 'NO_SUCH_TARGET',
  [LoginStatus.targetError]: 'TARGET_UNAVAILABLE',
  [LoginStatus.serviceUnavailable]: 'TARGET_UNAVAILABLE',
  [LoginStatus.outOfResources]: 'TARGET_UNAVAILABLE',
}
const statusNames = new Map<number, string>(Object.entries(LoginStatus).map(([name, status]) => [status, name]))

/** The error for a login that a target refuses. */
export function loginError(status: number): IscsiError {
  const name = statusNames.get(status) ?? `status ${status.toString(16).padStart(4, '0')}h`
  return new IscsiError(loginCodes[status] ?? 'LOGIN_FAILED', `the target refuses the login: ${name}`, { status })
}

/** What trying again makes no better. */
const finalCodes: ReadonlySet<IscsiErrorCode> = new Set<IscsiErrorCode>([
  'CLOSED',
  'AUTHENTICATION_FAILED',
  'TARGET_NOT_AUTHENTIC',
  'NOT_AUTHORIZED',
  'NO_SUCH_TARGET',
  'LOGIN_FAILED',
])

/** True when a reconnection would end the same way. */
export const isFinal = (error: unknown): boolean => error instanceof IscsiError && finalCodes.has(error.code)

/** Anything thrown as an Error. */
export const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))
