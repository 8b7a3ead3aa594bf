/** The commands of a disk (SBC-4), with third-party copy (SPC-4). */
import type { Command } from '../../command.ts'
import { compareAndWriteCommands } from './compare-and-write.ts'
import { extendedCopyCommands } from './copy/extended-copy.ts'
import { receiveCopyCommands } from './copy/receive-copy.ts'
import { formatUnitCommands } from './format-unit.ts'
import { getLbaStatusCommands } from './get-lba-status.ts'
import { orWriteCommands } from './or-write.ts'
import { prefetchCommands } from './pre-fetch.ts'
import { readCapacityCommands } from './read-capacity.ts'
import { readDefectDataCommands } from './read-defect-data.ts'
import { readCommands } from './read.ts'
import { sanitizeCommands } from './sanitize.ts'
import { synchronizeCacheCommands } from './synchronize-cache.ts'
import { unmapCommands } from './unmap.ts'
import { verifyCommands } from './verify.ts'
import { writeAndVerifyCommands } from './write-and-verify.ts'
import { writeAtomicCommands } from './write-atomic.ts'
import { writeSameCommands } from './write-same.ts'
import { writeCommands } from './write.ts'

/** Rows of the dispatch table. */
export const blockCommands: readonly Command[] = [
  ...readCommands,
  ...writeCommands,
  ...writeAndVerifyCommands,
  ...writeAtomicCommands,
  ...writeSameCommands,
  ...verifyCommands,
  ...compareAndWriteCommands,
  ...orWriteCommands,
  ...unmapCommands,
  ...getLbaStatusCommands,
  ...readCapacityCommands,
  ...readDefectDataCommands,
  ...prefetchCommands,
  ...synchronizeCacheCommands,
  ...formatUnitCommands,
  ...sanitizeCommands,
  ...extendedCopyCommands,
  ...receiveCopyCommands,
]
