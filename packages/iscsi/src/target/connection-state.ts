/** What of a connection outlives its worker: what its login decided, as a checkpoint, and the numbers that each write changes, in shared memory with it. */
import type { Agreed } from '../pdu/index.ts'
import type { LoginOutcome } from './login/login-phase.ts'

/** How far a connection has come: what has been written to its initiator. */
export const ConnectionStage = { begin: 0, login: 1, fullFeature: 2 } as const
/** One of `ConnectionStage`. */
export type ConnectionStage = (typeof ConnectionStage)[keyof typeof ConnectionStage]

/** What is settled with each write. */
export interface ConnectionNumbers {
  readonly stage: ConnectionStage
  /** Of the next response. */
  readonly statSn: number
  /** As told with the write: they may be behind what other connections of the session have been told. */
  readonly expCmdSn: number
  readonly maxCmdSn: number
}

/** As `Connection.state` has them. */
export const connectionWords = ({ stage, statSn, expCmdSn, maxCmdSn }: ConnectionNumbers): readonly number[] => [stage, statSn, expCmdSn, maxCmdSn]

/** Of `Connection.state`. */
export function connectionNumbers([stage, statSn, expCmdSn, maxCmdSn]: readonly number[]): ConnectionNumbers {
  return { stage: stage as ConnectionStage, statSn: statSn >>> 0, expCmdSn: expCmdSn >>> 0, maxCmdSn: maxCmdSn >>> 0 }
}

/** The checkpoint under which a `LoginRecord` is. */
export const loginCheckpoint = 'login'

/** What a login has decided, for its connection and its session; plain. */
export interface LoginRecord {
  readonly initiatorName: string
  readonly initiatorAlias: string | undefined
  /** Undefined in a discovery session. */
  readonly targetName: string | undefined
  /** Hexadecimal. */
  readonly isid: string
  readonly tsih: number
  readonly cid: number
  readonly user: string | undefined
  /** For this connection; what is of the session is what its first connection agreed on. */
  readonly agreed: Readonly<Agreed>
  /** Bytes of a data segment that the initiator takes. */
  readonly sendBytesMax: number
  /** When the session and the connection began, in milliseconds since 1970. */
  readonly sessionSince: number
  readonly since: number
}

/** Of a login that has succeeded, in a session that has begun. */
export function loginRecordOf({ identity, negotiator, user }: LoginOutcome, session: { readonly tsih: number; readonly since: number }): LoginRecord {
  const { initiatorName, targetName, isid, cid } = identity
  return {
    initiatorName,
    initiatorAlias: negotiator.declared('InitiatorAlias') as string | undefined,
    targetName,
    isid: isid.toString('hex'),
    tsih: session.tsih,
    cid,
    user,
    agreed: negotiator.agreed,
    sendBytesMax: negotiator.sendBytesMax,
    sessionSince: session.since,
    since: Date.now(),
  }
}
