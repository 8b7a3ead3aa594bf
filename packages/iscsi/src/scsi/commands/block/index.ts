/** The commands of a disk (SBC-4), with third-party copy (SPC-4). */
import type { Command } from '../../command.ts'

/** Rows of the dispatch table. */
export const blockCommands: readonly Command[] = []
