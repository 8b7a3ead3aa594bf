/** Which files are open over SMB. */

import type { Page, PageRequest } from '../resources/page.ts'

/** A file or folder that is open: an item of `/v1/opens`. */
export interface OpenView {
  /** Unique in the node: 16 hexadecimal digits. */
  readonly id: string
  /** Id of its session; left out where it waits for its client and the session is unknown. */
  readonly session?: string
  readonly share: string
  /** In the share, `/` between components, with `:stream` where it is open on one. */
  readonly path: string
  readonly user: string
  /** What its client may do, in words: `read`, `write`, `append`, `execute`, `delete`, `attributes`, `security`. */
  readonly access: string
  /** What others may do meanwhile: `read write delete`. */
  readonly shareAccess: string
  readonly since?: string
  /** What its client may cache: `lease RWH`, `oplock RWH`; with ` to R` while that is asked to come down. */
  readonly caching?: string
  /** Byte-range locks it holds. */
  readonly locks: number
  readonly durability: 'none' | 'durable' | 'resilient' | 'persistent'
  /** Its client is gone and may come back. */
  readonly waiting: boolean
  readonly deleteOnClose: boolean
}

/** Which opens. */
export interface OpenFilter {
  readonly share?: string | undefined
  readonly user?: string | undefined
  /** Id of a session. */
  readonly session?: string | undefined
}

/** The open files of a node, on all its workers. Rejects with what has a `code` of `resourceErrorCodes`. */
export interface OpenService {
  /** By id. */
  list(page?: PageRequest & OpenFilter): Promise<Page<OpenView>>
  /** `UNKNOWN_OPEN`. */
  get(id: string): Promise<OpenView>
  /** Closes it whatever its client does, also where it waits for that (MS-SMB2 3.3.4.17). `UNKNOWN_OPEN`. */
  close(id: string): Promise<void>
}
