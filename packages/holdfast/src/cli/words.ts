/** What command lines have in common: words of the configuration, examples, options that say which node. */

import { type Command, Option } from 'commander'
import type { CommandContext } from '../commands/context.ts'
import { type Flags, resolveConfig } from '../config/config.ts'
import { type WordName, wordNames, wordOf } from '../config/words.ts'

/** What commander collected. */
export type Values = Record<string, unknown>

/** Adds words of the configuration as options. */
export function addWords(command: Command, names: readonly WordName[]): Command {
  command.addOption(new Option('--config <file>', 'a YAML file; flags override it'))
  for (const name of names) {
    const { argument, help, repeatable, notYet } = wordOf(name)
    const repeats = repeatable === undefined ? '' : ' (repeatable)'
    const option = new Option(`--${name} <${argument}>`, `${help}${repeats}${notYet === undefined ? '' : ' (not available yet)'}`)
    if (repeatable) option.argParser(collected)
    command.addOption(option)
  }
  return command
}

/** Of an option that may be given again. */
export const collected = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value]

const camelCase = (name: string): string => name.replaceAll(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase())

/** What was said, by word. */
export const flagsOf = (values: Values, names: readonly WordName[] = wordNames): Flags => valuesByWord(values, ['config', ...names])

/** The same, of any words. */
export function valuesByWord(values: Values, names: readonly string[]): Record<string, unknown> {
  const said = names.map(name => [name, values[camelCase(name)]] as const)
  return Object.fromEntries(said.filter(([, value]) => value !== undefined))
}

/** For the end of a help text. */
export const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.map(line => `  $ ${line}`).join('\n')}\n`

/** Words of `serve` that are of use to commands which look at the state. */
export const stateWords: readonly WordName[] = ['state']
/** The same for volumes. */
export const volumeWords: readonly WordName[] = ['state', 'volumes']

/** Options of commands that ask a node. */
export function addNodeOptions(command: Command, words: readonly WordName[] = stateWords): Command {
  return addWords(command, words)
    .option('--server <url>', 'another node, such as http://10.0.0.1:8080 (default: HOLDFAST_SERVER, or the node of this machine that has the state)')
    .option('--user <name>', 'who logs in at --server, with the password in HOLDFAST_PASSWORD or at a prompt (default: see "holdfast login")')
    .option('--json', 'JSON for scripts')
}

/** What those options say. */
export interface NodeValues {
  readonly stateDir: string
  readonly volumesDir?: string
  readonly server?: string
}

/** Options with what the configuration adds. Throws ConfigError. */
export function nodeOptionsOf(values: Values, context: CommandContext): Values & NodeValues {
  const { stateDir, volumesDir } = resolveConfig(flagsOf(values, volumeWords), { cwd: context.cwd })
  const server = (values['server'] as string | undefined) ?? context.environment['HOLDFAST_SERVER']
  return { ...values, stateDir, ...(volumesDir !== undefined && { volumesDir }), ...(server !== undefined && server !== '' && { server }) }
}
