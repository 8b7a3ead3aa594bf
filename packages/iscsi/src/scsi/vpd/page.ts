/** Vital product data (SPC-4 7.8). */
import type { LogicalUnit } from '../logical-unit.ts'
import type { Nexus } from '../task.ts'

/** A VPD page as a row of the table that INQUIRY looks in. */
export interface VpdPage {
  readonly code: number
  /** As the standard writes it: `Block Limits`. */
  readonly name: string
  /** Left out: always. */
  isSupported?(unit: LogicalUnit): boolean
  /** What follows the four bytes of the page's header. */
  content(unit: LogicalUnit, nexus: Nexus): Buffer
}
