/** What a target tells of its sessions to whoever manages it; plain objects that can be sent to another thread. */

/** One connection of a session. */
export interface IscsiConnectionView {
  readonly cid: number
  /** The initiator's end. */
  readonly remoteAddress: string
  readonly remotePort: number
  /** The portal that it came to. */
  readonly localAddress: string
  readonly localPort: number
  /** CRC32C is in use. */
  readonly headerDigest: boolean
  readonly dataDigest: boolean
  /** Milliseconds since 1970, as all times here. */
  readonly since: number
  /** When something came over it last. */
  readonly lastHeard: number
}

/** One session. */
export interface IscsiSessionView {
  /** Target session identifying handle: names the session among those of its worker. */
  readonly tsih: number
  /** Six bytes in hexadecimal. */
  readonly isid: string
  readonly initiatorName: string
  readonly initiatorAlias: string | undefined
  /** Name under which the initiator has logged in (CHAP); undefined without a login. */
  readonly user: string | undefined
  /** Name of the target; undefined in a discovery session. */
  readonly target: string | undefined
  readonly since: number
  readonly errorRecoveryLevel: number
  /** SCSI commands that have come, and bytes of data that they have read and written; since the session began, or its worker was started. */
  readonly commands: number
  readonly readBytes: number
  readonly writtenBytes: number
  /** Commands that have come and were not answered yet. */
  readonly waitingCommands: number
  readonly connections: readonly IscsiConnectionView[]
}
