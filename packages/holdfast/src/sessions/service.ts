/** Who uses the node's storage now, over SMB and iSCSI. */

import type { Page, PageRequest } from '../resources/page.ts'

/** A session of a client of the storage: an item of `/v1/sessions`. */
export interface SessionView {
  /** Unique in the node: `smb-…` or `iscsi-…`. */
  readonly id: string
  readonly protocol: 'smb' | 'iscsi'
  /** Empty for who has shown no name. */
  readonly user: string
  readonly client: {
    readonly address: string
    readonly port: number
    /** What it calls itself: an initiator's iSCSI name. */
    readonly name?: string
  }
  readonly since: string
  readonly lastActive?: string
  /** `3.1.1`; of iSCSI the error recovery level and digests in words. */
  readonly dialect: string
  readonly signing: boolean
  readonly encryption: boolean
  /** Channels of SMB, connections of iSCSI. */
  readonly connections: number
  readonly opens: number
  /** Names of shares, or of volumes. */
  readonly uses: readonly string[]
  /** Of files and disks, by READ and WRITE. */
  readonly bytesRead?: number
  readonly bytesWritten?: number
}

/** The sessions of a node, on all its workers. Rejects with what has a `code` of `resourceErrorCodes`. */
export interface SessionService {
  /** By id. */
  list(page?: PageRequest): Promise<Page<SessionView>>
  /** `UNKNOWN_SESSION`. */
  get(id: string): Promise<SessionView>
  /**
   * Ends it, as LOGOFF would (MS-SMB2 3.3.5.6): durable opens wait for their client, all others are closed. Connections without another session are
   * closed. `UNKNOWN_SESSION`.
   */
  disconnect(id: string): Promise<void>
}
