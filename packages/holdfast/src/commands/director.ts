/** `holdfast director`: takes clients' connections and hands them over to the servers that have the content. */

import { detachDirector, startDirector, type DirectorStatus } from '@holdfast/handoff/director'
import { readKeyFile } from '@holdfast/handoff/protocol'
import { formatAddress } from '../config/addresses.ts'
import { demandCapabilities, handoffCapabilities, portCapabilities } from '../handoff/capabilities.ts'
import { directorSamples } from '../handoff/metrics.ts'
import { type DirectorSettings, directorSettings } from '../handoff/options.ts'
import { showStatus, takeAway } from '../handoff/manage.ts'
import { run } from '../handoff/run.ts'
import type { HandoffFlags } from '../handoff/said.ts'
import { directorText } from '../handoff/status-text.ts'
import { asConfigError } from '../handoff/usage.ts'
import type { CommandContext } from './context.ts'

/** Runs a director until `context.signal` aborts. Throws ConfigError, CommandError. */
export async function runDirector(context: CommandContext, flags: HandoffFlags): Promise<void> {
  const settings = directorSettings(flags, context.cwd, readKeyFile)
  demandCapabilities('holdfast director', [...handoffCapabilities, ...portCapabilities(settings.vip.port)])
  await run(context, settings, async ({ onNotice, onFailure }) => {
    const director = await asConfigError(() => startDirector({ ...startOptions(settings), onNotice, onFailure }))
    const { agents } = await director.status()
    return {
      words: { vip: formatAddress(director.vip), dev: settings.dev, agents: String(agents.length) },
      status: () => director.status(),
      samples: async () => directorSamples(await director.metrics()),
      close: () => director.close(),
    }
  })
}

const startOptions = (settings: DirectorSettings) => ({
  vip: settings.vip,
  interface: settings.dev,
  key: settings.key,
  owners: settings.routesFile === undefined ? settings.owners : { file: settings.routesFile },
  mode: settings.mode,
  pinDirectory: settings.pinDir,
  attach: settings.attach,
  forward: settings.forward,
  ...(settings.raisePort !== undefined && { raisePort: settings.raisePort }),
  ...(settings.idleMs !== undefined && { idleMs: settings.idleMs }),
})

/** Prints how the director is that runs. */
export const showDirector = (context: CommandContext, flags: HandoffFlags, { json }: { readonly json: boolean }): Promise<void> =>
  showStatus<DirectorStatus>({ context, role: 'director', flags }, json, directorText)

/** Takes away what a director that has ended left in the kernel. */
export const removeDirector = (context: CommandContext, flags: HandoffFlags): Promise<void> =>
  takeAway({ context, role: 'director', flags }, detachDirector)
