/** What the suites of the iSCSI initiator run against. */
import { IscsiError, ScsiError } from '@holdfast/iscsi/initiator'
import type { DiskOptions, IscsiDisk } from '@holdfast/iscsi/initiator'

/** A target to be tested against. */
export interface Target extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly target: string
  readonly lun: number
  readonly user: string
  readonly password: string
  /** What the target proves itself with; undefined where it cannot. */
  readonly targetCredentials?: { readonly user: string; readonly password: string }
  /** The highest it has. */
  readonly errorRecoveryLevel: 0 | 1 | 2
  /** Connections that a session may have. */
  readonly connections: number
  /** COMPARE AND WRITE. */
  readonly comparesAndWrites: boolean
  /** It pads segments whose length is no multiple of four. */
  readonly padsSegments: boolean
  /** The name it shows people. */
  readonly vendor: string
}

/** What a test has at hand. */
export interface Context {
  readonly target: Target
  /** Logged in, for all tests. */
  readonly disk: IscsiDisk
  /** A session of its own. */
  readonly connect: (more?: Partial<DiskOptions>) => Promise<IscsiDisk>
}

export const kibibyte = 1024
export const mebibyte = 1024 * 1024

/** For assert.rejects: an IscsiError or ScsiError with one of these codes; anything else is thrown on. */
export const code =
  (...expected: readonly string[]) =>
  (error: unknown): boolean => {
    if ((error instanceof IscsiError || error instanceof ScsiError) && expected.includes(error.code)) return true
    throw error
  }
