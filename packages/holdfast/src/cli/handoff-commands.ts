/** `holdfast director` and `holdfast server-agent`. */

import { type Command, Option } from 'commander'
import type { CommandContext } from '../commands/context.ts'
import type { HandoffFlags } from '../handoff/said.ts'
import { directorWords, type HandoffWords, serverAgentWords } from '../handoff/words.ts'
import { collected, examples, valuesByWord } from './words.ts'

/** Adds them. */
export function addHandoffCommands(program: Command, context: CommandContext): void {
  const director = addHandoffWords(program.command('director'), directorWords)
    .description('hand connections over to the server that has the content')
    .addHelpText(
      'after',
      examples(
        'holdfast director --vip 192.0.2.100:80 --dev eth0 --key-file /etc/holdfast/handoff.key --owner /=192.0.2.11:7450 --owner /videos/=192.0.2.12:7450',
        'holdfast director --config /etc/holdfast/director-eth0.yaml --metrics 192.0.2.1:9450',
        'holdfast director --status --dev eth0',
        'holdfast director --detach --dev eth0',
      ),
    )
  director.action(async (values: Record<string, unknown>) => {
    const { runDirector, showDirector, removeDirector } = await import('../commands/director.ts')
    await act(context, values, directorWords, { run: runDirector, show: showDirector, remove: removeDirector })
  })

  const agent = addHandoffWords(program.command('server-agent'), serverAgentWords)
    .description('take connections over, for the HTTP server beside it')
    .addHelpText(
      'after',
      examples(
        'holdfast server-agent --dev eth0 --listen 192.0.2.11:7450 --local 192.0.2.11:80 --key-file /etc/holdfast/handoff.key',
        'holdfast server-agent --config /etc/holdfast/server-agent-eth0.yaml',
        'holdfast server-agent --status --dev eth0 --json',
        'holdfast server-agent --detach --dev eth0',
      ),
    )
  agent.action(async (values: Record<string, unknown>) => {
    const { runServerAgent, showServerAgent, removeServerAgent } = await import('../commands/server-agent.ts')
    await act(context, values, serverAgentWords, { run: runServerAgent, show: showServerAgent, remove: removeServerAgent })
  })
}

function addHandoffWords(command: Command, words: HandoffWords): Command {
  command.addOption(new Option('--config <file>', 'a YAML file; flags override it'))
  for (const [name, { argument, help, repeatable }] of Object.entries(words)) {
    const option = new Option(`--${name} <${argument}>`, `${help}${repeatable === undefined ? '' : ' (repeatable)'}`)
    if (repeatable) option.argParser(collected)
    command.addOption(option)
  }
  return command
    .addOption(new Option('--status', 'say how the one is that runs for --dev').conflicts('detach'))
    .option('--json', 'with --status: JSON for scripts')
    .option('--detach', 'take away what one that has ended left in the kernel: its connections end')
}

interface Acts {
  readonly run: (context: CommandContext, flags: HandoffFlags) => Promise<void>
  readonly show: (context: CommandContext, flags: HandoffFlags, style: { readonly json: boolean }) => Promise<void>
  readonly remove: (context: CommandContext, flags: HandoffFlags) => Promise<void>
}

async function act(context: CommandContext, values: Record<string, unknown>, words: HandoffWords, { run, show, remove }: Acts): Promise<void> {
  const flags = valuesByWord(values, ['config', ...Object.keys(words)]) as HandoffFlags
  if (values['status'] === true) await show(context, flags, { json: values['json'] === true })
  else if (values['detach'] === true) await remove(context, flags)
  else await run(context, flags)
}
