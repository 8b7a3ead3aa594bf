/** Managing shares, whoever does it. */

import type { Page, PageRequest } from '../resources/page.ts'

/** A share for people and scripts: an item of `/v1/shares`. */
export interface ShareView {
  readonly name: string
  /** The folder's absolute path; empty for what is no folder (embedded filesystems). */
  readonly path: string
  /** The words that follow a folder in `--share`. */
  readonly options: readonly string[]
  readonly comment?: string
  /** `configuration`: the command line or the file says so, and has to be changed there. */
  readonly origin: 'configuration' | 'api'
  /** Sessions that are connected to it now. */
  readonly sessions?: number
  /** Files and folders of it that are open now. */
  readonly opens?: number
  /** Why it is not served. */
  readonly problem?: string
}

/** What is asked for in a new share. */
export interface ShareRequest {
  readonly name: string
  /** Absolute. */
  readonly path: string
  readonly options?: readonly string[] | undefined
  readonly comment?: string | undefined
}

/** What shall be otherwise; what is left out stays. */
export type ShareChange = { readonly [Key in Exclude<keyof ShareRequest, 'name'>]?: ShareRequest[Key] | undefined }

/** It was begun before, and may have been done: what is there already is taken for its own work. */
export interface Again {
  readonly again?: boolean | undefined
}

/**
 * The shares of a node. What is made here is kept in the node's store, and every worker serves it when the promise resolves.
 *
 * Rejects with what has a `code` of `resourceErrorCodes`.
 */
export interface ShareService {
  /** By name. */
  list(page?: PageRequest): Promise<Page<ShareView>>
  /** `UNKNOWN_SHARE`. */
  get(name: string): Promise<ShareView>
  /** What is wrong with a request that can be told at once: `INVALID_NAME`, `INVALID_PATH`, `INVALID_OPTION`. */
  check(share: ShareChange & { readonly name?: string }): Promise<void>
  /** `SHARE_EXISTS`, and what `check` rejects with. */
  create(share: ShareRequest, options?: Again): Promise<ShareView>
  /**
   * Options and comment count from the next tree connect on. Another folder, or `continuous-availability` given or taken, ends what is connected: its
   * clients connect anew by themselves. `UNKNOWN_SHARE`, `SHARE_CONFIGURED`, and what `check` rejects with.
   */
  change(name: string, change: ShareChange): Promise<ShareView>
  /** Ends what is connected to it, with all opens (persistent ones too); the files stay. `UNKNOWN_SHARE`, `SHARE_CONFIGURED`. */
  delete(name: string, options?: Again): Promise<void>
}
