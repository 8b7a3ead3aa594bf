/** `holdfast server-agent`: takes connections over from directors, for the unmodified HTTP server beside it. */

import { readKeyFile } from '@holdfast/handoff/protocol'
import { detachServerAgent, startServerAgent, type ServerAgentStatus } from '@holdfast/handoff/server-agent'
import { formatAddress } from '../config/addresses.ts'
import { demandCapabilities, handoffCapabilities, portCapabilities } from '../handoff/capabilities.ts'
import { serverAgentSamples } from '../handoff/metrics.ts'
import { type ServerAgentSettings, serverAgentSettings } from '../handoff/options.ts'
import { showStatus, takeAway } from '../handoff/manage.ts'
import { run } from '../handoff/run.ts'
import type { HandoffFlags } from '../handoff/said.ts'
import { serverAgentText } from '../handoff/status-text.ts'
import { asConfigError } from '../handoff/usage.ts'
import type { CommandContext } from './context.ts'

/** Runs a server agent until `context.signal` aborts. Throws ConfigError, CommandError. */
export async function runServerAgent(context: CommandContext, flags: HandoffFlags): Promise<void> {
  const settings = serverAgentSettings(flags, context.cwd, readKeyFile)
  demandCapabilities('holdfast server-agent', [...handoffCapabilities, ...portCapabilities(settings.listen.port)])
  await run(context, settings, async ({ onNotice, onFailure }) => {
    const agent = await asConfigError(() => startServerAgent({ ...startOptions(settings), onNotice, onFailure }))
    return {
      words: { listen: formatAddress(settings.listen), local: formatAddress(settings.local), dev: settings.devs.join(',') },
      status: () => agent.status(),
      samples: async () => serverAgentSamples(await agent.metrics()),
      close: () => agent.close(),
    }
  })
}

const startOptions = (settings: ServerAgentSettings) => ({
  interfaces: settings.devs,
  listen: settings.listen,
  local: settings.local,
  key: settings.key,
  pinDirectory: settings.pinDir,
  attach: settings.attach,
  ...(settings.idleMs !== undefined && { idleMs: settings.idleMs }),
})

/** Prints how the server agent is that runs. */
export const showServerAgent = (context: CommandContext, flags: HandoffFlags, { json }: { readonly json: boolean }): Promise<void> =>
  showStatus<ServerAgentStatus>({ context, role: 'server-agent', flags }, json, serverAgentText)

/** Takes away what a server agent that has ended left in the kernel. */
export const removeServerAgent = (context: CommandContext, flags: HandoffFlags): Promise<void> =>
  takeAway({ context, role: 'server-agent', flags }, detachServerAgent)
