/** `holdfast completion`, and what it makes shells ask. */

import { Argument, type Command } from 'commander'
import { type CommandContext, writeAll } from '../commands/context.ts'
import { complete, completionText } from '../completion/complete.ts'
import { completionScripts, type Shell, shells } from '../completion/scripts.ts'
import { examples } from './words.ts'

/** Adds them. */
export function addCompletionCommands(program: Command, context: CommandContext): void {
  program
    .command('completion')
    .description('print what makes a shell complete words and names of this program')
    .addArgument(new Argument('<shell>', 'which one').choices(shells))
    .addHelpText(
      'after',
      examples(
        'source <(holdfast completion bash)',
        'holdfast completion bash > /usr/share/bash-completion/completions/holdfast',
        'holdfast completion zsh > ~/.zfunc/_holdfast',
        'holdfast completion fish > ~/.config/fish/completions/holdfast.fish',
      ),
    )
    .action(async (shell: Shell) => writeAll(context.out, completionScripts[shell]))

  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => {
      const { namesFrom } = await import('../completion/names.ts')
      await writeAll(context.out, completionText(await complete(program, words, namesFrom(context))))
    })
}
