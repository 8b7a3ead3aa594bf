import { statTime, type StatBuffer } from '@holdfast/posix'

/** What tells a file from itself after a change: the kernel's change time, which nobody can set, and its size. */
export interface Version {
  readonly sizeBytes: number
  readonly changedSeconds: number
  readonly changedNanoseconds: number
}

export const versionOf = (of: StatBuffer): Version => ({
  sizeBytes: of.sizeBytes,
  changedSeconds: of.seconds(statTime.changed),
  changedNanoseconds: of.nanoseconds(statTime.changed),
})

export const isVersion = (version: Version, now: StatBuffer): boolean =>
  now.nanoseconds(statTime.changed) === version.changedNanoseconds &&
  now.seconds(statTime.changed) === version.changedSeconds &&
  now.sizeBytes === version.sizeBytes
