/** What a target is given: which disks it offers to whom, and where. */
import type { TargetDevice } from '../scsi/index.ts'

/** Where a target can be reached: `{ host: '192.0.2.1', port: 3260, portalGroupTag: 1 }`. */
export interface Portal {
  readonly host: string
  readonly port: number
  /** Connections of one session go to portals of one group (RFC 7143 4.1.1). */
  readonly portalGroupTag: number
}

/** One iSCSI target: a name, and the logical units behind it. */
export interface TargetDescription {
  /** `iqn.2026-11.io.holdfast:disk0` */
  readonly name: string
  readonly alias?: string
  /** Index of the worker that the disk belongs to: sessions go there. */
  readonly owner: number
  /** No session without a login; `false` lets in everybody whom `initiators` lets in. */
  readonly needsAuthentication: boolean
  /** Users that may log in; every one of `credentials` where undefined. */
  readonly users?: readonly string[]
  /** Initiators that may log in, by name; all where undefined. */
  readonly initiators?: readonly string[]
}

/** The targets of a node, as every worker knows them. They may change at any time. */
export interface TargetDirectory {
  find(name: string): TargetDescription | undefined
  list(): readonly TargetDescription[]
  /** The device behind a target; asked on its owner only. Rejects when the disk cannot be opened. */
  device(name: string): Promise<TargetDevice>
  /** Tells of targets that go away; they stay until what the listener returns has resolved. */
  onRemove?(listener: (name: string) => Promise<void>): void
}

/** Who may log in (CHAP, RFC 7143 12.1.3). */
export interface Credentials {
  /** The secret of an initiator's CHAP name; undefined where there is none. */
  secretOf(name: string): Promise<string | undefined>
  /** What the target proves itself with, to initiators that ask (mutual CHAP); it does not where undefined. */
  readonly own?: { readonly name: string; readonly secret: string } | undefined
}

/** One who tries to log in. */
export interface LoginAttempt {
  readonly remoteAddress: string
  readonly user: string
}

/** Slows down the guessing of secrets; `LoginThrottle` of @holdfast/smb/security is one. */
export interface LoginThrottle {
  /** How long to hold the next answer back, in milliseconds. */
  delayMs(attempt: LoginAttempt): number
  failed(attempt: LoginAttempt): void
  succeeded(attempt: LoginAttempt): void
}

/** Whether a user is one of those named, in whatever case: so they are found by `Credentials` as well. Everybody is where nobody is named. */
export const isAmong = (users: readonly string[] | undefined, user: string): boolean =>
  users === undefined || users.some(name => name.toLowerCase() === user.toLowerCase())

/** Limits on what an initiator can make a target hold; sizes in bytes. */
export interface IscsiLimits {
  /** MaxRecvDataSegmentLength that the target declares. */
  readonly dataSegmentBytes: number
  readonly firstBurstBytes: number
  readonly maxBurstBytes: number
  /** Commands that a session may have with the target. */
  readonly commandsPerSession: number
  readonly connectionsPerSession: number
  readonly sessionsPerTarget: number
  /** What one write may bring. */
  readonly writeBytes: number
  /** What all connections of a worker may have been asked for, with R2T, and not brought yet. */
  readonly solicitedBytes: number
  /** Text of a login or of a text exchange. */
  readonly textBytes: number
  /** What a connection keeps to be able to repeat it (error recovery level 1 and 2). */
  readonly retainedBytes: number
  /** An initiator that has said nothing for so long is asked, and left when it does not answer in the same time, in milliseconds. */
  readonly idleMs: number
}

/** The limits where nothing else is said. */
export const defaultIscsiLimits: IscsiLimits = {
  dataSegmentBytes: 256 << 10,
  firstBurstBytes: 64 << 10,
  maxBurstBytes: 1 << 20,
  commandsPerSession: 128,
  connectionsPerSession: 8,
  sessionsPerTarget: 256,
  writeBytes: 8 << 20,
  solicitedBytes: 64 << 20,
  textBytes: 64 << 10,
  retainedBytes: 16 << 20,
  idleMs: 30_000,
}

/** What `createIscsiTarget` is made of. */
export interface IscsiTargetOptions {
  readonly targets: TargetDirectory
  readonly credentials: Credentials
  /** Default: whoever guesses is answered at once. */
  readonly throttle?: LoginThrottle
  /**
   * Whether names of targets are told only to one who has logged in. Linux' and QEMU's initiators do not log in to ask for them, unless they are
   * told to; a name alone opens nothing.
   */
  readonly discoveryNeedsAuthentication?: boolean
  /** Where SendTargets says that the targets are, to one who has come to `local`. */
  portals(local: { readonly host: string; readonly port: number }): readonly Portal[]
  /** Another place for a session that is about to begin (login redirection, RFC 7143 7.2.2.2); it stays here where undefined. */
  redirect?(login: LoginInformation): { readonly host: string; readonly port: number } | undefined
  readonly limits?: Partial<IscsiLimits>
  /** Each command's end is told to the worker's log, with the level debug. Default false: it costs more than the command. */
  readonly tellsCommands?: boolean
}

/** Who wants to log in where. */
export interface LoginInformation {
  readonly initiatorName: string
  readonly targetName: string
  readonly isid: Buffer
  readonly localAddress: string
  readonly localPort: number
}
