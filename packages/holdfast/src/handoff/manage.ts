/** What is done with a director or server agent from beside it. */

import { type CommandContext, writeAll, writeJson } from '../commands/context.ts'
import { demandCapabilities, handoffCapabilities } from './capabilities.ts'
import { type ControlName, demandAlone, mustAskStatus } from './control.ts'
import { instanceOf } from './options.ts'
import type { HandoffFlags } from './said.ts'
import type { ProcessStatus, Style } from './status-text.ts'

/** Which one, as words say it. */
export interface Meant {
  readonly context: CommandContext
  readonly role: ControlName['role']
  readonly flags: HandoffFlags
}

/** Prints how the one is that runs: as JSON, or as `text` writes it for people. */
export async function showStatus<S>(meant: Meant, json: boolean, text: (status: S & ProcessStatus, style: Style) => string): Promise<void> {
  const { context, role, flags } = meant
  const status = await mustAskStatus(instanceOf(role, flags, context.cwd).control)
  if (json) return writeJson(context.out, status)
  // What the same program has written: it is not checked again.
  await writeAll(context.out, `${text(status as unknown as S & ProcessStatus, { colours: context.colours === true }).trimEnd()}\n`)
}

/** Takes away what one that has ended left in the kernel. */
export async function takeAway({ context, role, flags }: Meant, detach: (pinDirectory: string) => void): Promise<void> {
  const { control, pinDir } = instanceOf(role, flags, context.cwd)
  demandCapabilities(`holdfast ${role} --detach`, handoffCapabilities)
  await demandAlone(control)
  detach(pinDir)
}
