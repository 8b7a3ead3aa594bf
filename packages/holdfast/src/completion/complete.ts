/** What may come next on a command line, from the program's own words. */

import type { Command, Option } from 'commander'
import { volumeFlagNames } from '../config/volumes.ts'
import { shareOptionNames } from '../config/words.ts'
import { attachMethods, forwardMethods, modes } from '../handoff/words.ts'

/** What names a completion may need, of which a node knows some. */
export type NameKind = 'volume' | 'snapshot' | 'share' | 'user' | 'operation' | 'session' | 'open' | 'server'

/** Something that fits, and what it is. */
export interface Candidate {
  readonly value: string
  readonly description: string
}

/** What fits; `paths`: the shell adds files or folders. */
export interface Completion {
  readonly candidates: readonly Candidate[]
  readonly paths: 'none' | 'files' | 'folders'
}

/** What a line has said so far, as names may depend on it: the words besides commands and options, and the options' values. */
export interface Said {
  readonly operands: readonly string[]
  readonly options: Readonly<Record<string, string>>
}

/** Names of a kind; none where nobody can tell soon. */
export type NamesOf = (kind: NameKind, said: Said) => Promise<readonly Candidate[]>

type Words = readonly string[]
/** A kind of names, words to choose from, or paths. */
type Expected = NameKind | Words | 'files' | 'folders' | 'nothing'

const roles = ['user', 'viewer', 'admin']
const states = ['queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled']
const volumeOptions = [...volumeFlagNames, 'block-size=512', 'block-size=4096', 'user=', 'initiator=']

/** By the command's words: what its arguments are, in order. */
export const argumentsOf: Readonly<Record<string, readonly Expected[]>> = {
  'volume show': ['volume'],
  'volume resize': ['volume'],
  'volume change': ['volume'],
  'volume delete': ['volume'],
  'volume snapshot create': ['volume', 'nothing'],
  'volume snapshot list': ['volume'],
  'volume snapshot delete': ['volume', 'snapshot'],
  'share create': ['nothing', 'folders'],
  'share show': ['share'],
  'share change': ['share'],
  'share delete': ['share'],
  'user add': ['user'],
  'user remove': ['user'],
  'user show': ['user'],
  'user change': ['user'],
  'user delete': ['user'],
  'operation show': ['operation'],
  'operation cancel': ['operation'],
  'session show': ['session'],
  'session disconnect': ['session'],
  'open close': ['open'],
  login: ['server'],
  logout: ['server'],
  completion: [['bash', 'zsh', 'fish']],
}

/** Of options whose values are the same wherever they are; `COMMAND --OPTION` where they are not. */
const valuesOf: Readonly<Record<string, Expected>> = {
  '--state': 'folders',
  '--volumes': 'folders',
  '--path': 'folders',
  '--config': 'files',
  '--password-file': 'files',
  '--image': 'files',
  '--key-file': 'files',
  '--routes': 'files',
  '--pin': 'folders',
  '--run': 'folders',
  '--mode': modes,
  '--attach': attachMethods,
  '--forward': forwardMethods,
  '--server': 'server',
  '--role': roles,
  '--only': states,
  '--by': 'user',
  '--session': 'session',
  'open list --share': 'share',
  'volume create --option': volumeOptions,
  'volume change --option': volumeOptions,
  'share create --option': shareOptionNames,
  'share change --option': shareOptionNames,
}
/** Commands whose arguments are files of this machine, or URLs. */
const takesFiles: ReadonlySet<string> = new Set(['cp'])

const isHidden = (command: Command): boolean => (command as Command & { readonly _hidden?: boolean })._hidden === true
const pathOf = (command: Command): string => (command.parent === null ? '' : `${pathOf(command.parent)} ${command.name()}`.trim())
const optionOf = (command: Command, word: string): Option | undefined => command.options.find(({ long, short }) => word === long || word === short)

/** A line as far as it has been typed. */
interface Position extends Said {
  readonly command: Command
  /** The option whose value comes next. */
  readonly option: Option | undefined
}

function positionOf(program: Command, words: Words): Position {
  let command = program
  let option: Option | undefined
  const operands: string[] = []
  const options: Record<string, string> = {}
  for (const word of words) {
    if (option !== undefined) {
      options[option.attributeName()] = word
      option = undefined
    } else if (word.startsWith('-')) {
      const [flag = '', value] = word.split('=', 2)
      const found = optionOf(command, flag)
      if (found?.required === true && value === undefined) option = found
      else if (found !== undefined) options[found.attributeName()] = value ?? ''
    } else {
      const next = operands.length === 0 ? command.commands.find(one => one.name() === word || one.aliases().includes(word)) : undefined
      if (next === undefined) operands.push(word)
      command = next ?? (operands.length === 1 ? defaultOf(command) : command)
    }
  }
  return { command, option, operands, options }
}

/** What runs where no word of a group's is said: `volume snapshot VOLUME SNAPSHOT`. */
function defaultOf(command: Command): Command {
  const name = (command as Command & { readonly _defaultCommandName?: string | null })._defaultCommandName
  return command.commands.find(one => one.name() === name) ?? command
}

/**
 * Completes the last of `words`, which come after the program's name.
 *
 * @example
 * import { Command } from 'commander'
 *
 * const program = new Command('holdfast')
 * program.command('serve').description('serve folders')
 * const { candidates } = await complete(program, ['se'], async () => [])
 * candidates // => [{ value: 'serve', description: 'serve folders' }]
 */
export async function complete(program: Command, words: readonly string[], namesOf: NamesOf): Promise<Completion> {
  const typed = words.at(-1) ?? ''
  const position = positionOf(program, words.slice(0, -1))
  const { candidates, paths } = await candidatesOf(position, typed, namesOf)
  return { candidates: candidates.filter(({ value }) => value.startsWith(typed)), paths }
}

async function candidatesOf(position: Position, typed: string, namesOf: NamesOf): Promise<Completion> {
  const { command, option, operands } = position
  const path = pathOf(command)
  if (option !== undefined) {
    const flag = option.long ?? ''
    return expected(option.argChoices ?? valuesOf[`${path} ${flag}`] ?? valuesOf[flag] ?? 'nothing', position, namesOf)
  }
  if (typed.startsWith('-')) return { candidates: optionsOf(command), paths: 'none' }
  const commands = operands.length === 0 ? command.commands.filter(one => !isHidden(one)) : []
  const owner = operands.length === 0 && commands.length > 0 ? defaultOf(command) : command
  const kinds = argumentsOf[pathOf(owner)] ?? []
  const next = takesFiles.has(path) ? 'files' : (kinds[operands.length] ?? 'nothing')
  const names = await expected(next, position, namesOf)
  const own = commands.map(one => ({ value: one.name(), description: one.description() }))
  return { candidates: [...own, ...names.candidates], paths: names.paths }
}

async function expected(what: Expected, said: Said, namesOf: NamesOf): Promise<Completion> {
  if (what === 'nothing') return { candidates: [], paths: 'none' }
  if (what === 'files' || what === 'folders') return { candidates: [], paths: what }
  if (typeof what !== 'string') return { candidates: what.map(value => ({ value, description: '' })), paths: 'none' }
  return { candidates: await namesOf(what, said), paths: 'none' }
}

const optionsOf = (command: Command): Candidate[] =>
  [...command.options.filter(option => !option.hidden), { long: '--help', description: 'display help for command' }].flatMap(
    ({ long, description }) => (long === undefined || long === null ? [] : [{ value: long, description }]),
  )

/** A candidate a line, with its description behind a tab; what the shell shall add is the last line. */
export const completionText = ({ candidates, paths }: Completion): string =>
  [...candidates.map(({ value, description }) => `${clean(value)}\t${clean(description)}`), `:${paths}`].map(line => `${line}\n`).join('')

const clean = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
