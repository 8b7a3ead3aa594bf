import { AuthError, authStatus } from '../errors.ts'

/** Why a Kerberos login was refused, for the log. */
export interface KerberosRefusal {
  /** As the AuthError's: `kerberos_clock_skew`, … */
  readonly code: string
  /** What is wrong and what to do about it: a sentence for an administrator. */
  readonly message: string
  /** What the library said. */
  readonly detail?: string
  /** Who it was, as far as that was proven. */
  readonly principal?: string
}

/** What an administrator can do, by the code of the AuthError. */
export const kerberosProblems = {
  kerberos_token: 'what the client sent is no Kerberos token',
  kerberos_clock_skew:
    "the client's clock and this machine's differ by more than Kerberos allows (5 minutes, unless krb5.conf says otherwise): set both, with NTP",
  kerberos_ticket_expired: 'the ticket has expired: the user has to log in to the realm again (kinit)',
  kerberos_ticket_early: "the ticket is not valid yet: the clocks of this machine and of the realm's KDC differ, or the ticket was post-dated",
  kerberos_key:
    'no key of the keytab opens the ticket. Either it is for another name (compare "klist" of the client with "klist -k KEYTAB"), or the ' +
    "service's password or key has changed since the keytab was written: write it again",
  kerberos_replay: 'the same login was sent twice: somebody may have recorded it',
  kerberos_failed: 'the Kerberos library refuses the login',
  kerberos_service: 'the ticket is for another service than cifs/NAME or host/NAME of this machine',
  kerberos_principal: 'the principal is no user: only NAME@REALM is, without "/" and special characters',
  kerberos_realm: "the principal's realm is none of the keytab's: if its users may come in, name it with --realm",
  kerberos_unknown_user: 'there is no local user of that name: add one with "holdfast user add NAME"',
} as const

/** A code of an AuthError of Kerberos. */
export type KerberosProblem = keyof typeof kerberosProblems

/** Errors of the library (`GssError.code`) that are something special. */
const problemsOfLibrary: Readonly<Record<string, KerberosProblem>> = {
  GSS_DEFECTIVE_TOKEN: 'kerberos_token',
  GSS_CREDENTIALS_EXPIRED: 'kerberos_ticket_expired',
  GSS_CONTEXT_EXPIRED: 'kerberos_ticket_expired',
  KRB_TICKET_EXPIRED: 'kerberos_ticket_expired',
  KRB_TICKET_NOT_YET_VALID: 'kerberos_ticket_early',
  KRB_CLOCK_SKEW: 'kerberos_clock_skew',
  KRB_REPLAY: 'kerberos_replay',
  KRB_INTEGRITY: 'kerberos_key',
  KRB_WRONG_KEY: 'kerberos_key',
}

/** The problem behind an error of the library. */
export function problemOf(error: unknown): KerberosProblem {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return problemsOfLibrary[code] ?? 'kerberos_failed'
}

/** The client is told no more than that it does not get in. */
export const refused = (code: KerberosProblem, cause?: unknown): AuthError =>
  new AuthError(code, authStatus.logonFailure, kerberosProblems[code], cause === undefined ? {} : { cause })
