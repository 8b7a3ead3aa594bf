/** All commands that a unit may have. */
import type { Command } from '../command.ts'
import { blockCommands } from './block/index.ts'
import { diagnosticCommands } from './diagnostic.ts'
import { inquiryCommands } from './inquiry.ts'
import { logCommands } from './log.ts'
import { modeCommands } from './mode.ts'
import { persistentReserveInCommands } from './persistent-reserve-in.ts'
import { persistentReserveOutCommands } from './persistent-reserve-out.ts'
import { powerCommands } from './power.ts'
import { referralCommands } from './report-referrals.ts'
import { reserveCommands } from './reserve.ts'
import { supportedCommands } from './supported.ts'
import { targetPortGroupCommands } from './target-port-groups.ts'
import { unitCommands } from './unit.ts'

/** Rows of the dispatch table, in no order. */
export const commands: readonly Command[] = [
  ...unitCommands,
  ...inquiryCommands,
  ...modeCommands,
  ...logCommands,
  ...powerCommands,
  ...diagnosticCommands,
  ...reserveCommands,
  ...persistentReserveInCommands,
  ...persistentReserveOutCommands,
  ...targetPortGroupCommands,
  ...referralCommands,
  ...supportedCommands,
  ...blockCommands,
]
