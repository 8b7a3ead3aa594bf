import { LoginStatus } from '../../pdu/index.ts'

/** A login that ends with a status other than success (RFC 7143 11.13.5). */
export class LoginRefusal extends Error {
  readonly status: LoginStatus
  /** Pairs that go with it: the TargetAddress of a redirection. */
  readonly pairs: readonly (readonly [string, string])[]
  constructor(status: keyof typeof LoginStatus, reason: string, pairs: readonly (readonly [string, string])[] = []) {
    super(reason)
    this.name = 'LoginRefusal'
    this.status = LoginStatus[status]
    this.pairs = pairs
  }
}
