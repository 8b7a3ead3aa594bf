/** The command line: words, help, exit codes. */

import { Command, CommanderError } from 'commander'
import { addCompletionCommands } from './cli/completion-commands.ts'
import { addHandoffCommands } from './cli/handoff-commands.ts'
import { addApiUserCommands, addNodeCommands } from './cli/node-commands.ts'
import { addVolumeCommands } from './cli/volume-commands.ts'
import { addNodeOptions, addWords, examples, flagsOf, nodeOptionsOf, stateWords, type Values } from './cli/words.ts'
import { resolveConfig } from './config/config.ts'
import { ConfigError } from './config/errors.ts'
import { fileJsonSchema, wordNames } from './config/words.ts'
import { CommandError, type CommandContext, writeAll } from './commands/context.ts'
import { copy } from './commands/copy.ts'
import { cat, list, makeFolders, remove } from './commands/file-commands.ts'
import { addUser, listUsers, removeUser } from './commands/user-commands.ts'
import { StateError } from './state/errors.ts'

/** 0 done, 1 failed while running, 2 wrong usage or configuration. */
export type ExitCode = 0 | 1 | 2

/** Words of later versions and what they need. */
const laterCommands: Readonly<Record<string, string>> = {
  witness: 'the witness client',
}

/** Builds the program. Every action runs in `context`. */
export function createProgram(context: CommandContext, version: string): Command {
  const program = new Command('holdfast')
    .description('A storage server: folders over SMB 3.1.1, and a client for any SMB server.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: text => void context.out.write(text), writeErr: text => void context.err.write(text) })
    .configureHelp({ helpWidth: Math.min(context.columns(), 120) })
    .showHelpAfterError('(see --help)')
    .addHelpText(
      'after',
      examples('holdfast start', 'holdfast serve --share docs=/srv/docs --user alice:secret --smb :445', 'holdfast ls smb://alice@server/docs'),
    )

  addWords(program.command('start').description('serve ./data with a generated user and password, and say how to mount it'), wordNames)
    .addHelpText('after', examples('holdfast start', 'holdfast start --smb :445', 'holdfast start --share photos=/srv/photos,read-only'))
    .action(async (values: Values) => (await import('./commands/start.ts')).start(context, flagsOf(values)))

  addWords(program.command('serve').description('serve folders'), wordNames)
    .addHelpText(
      'after',
      examples(
        'holdfast serve --share docs=/srv/docs --user alice:secret',
        'holdfast serve --share docs=/srv/docs,encrypt --smb 127.0.0.1:4450 --smb [::1]:4450 --http 127.0.0.1:8080',
        'holdfast serve --config holdfast.yaml --log-level debug',
      ),
    )
    .action(async (values: Values) => {
      // Mistakes are told before the server with all its parts is loaded; clients never load it.
      const config = resolveConfig(flagsOf(values), { cwd: context.cwd })
      await (await import('./commands/serve.ts')).serve(context, config)
    })

  addClientCommands(program, context)
  addUserCommands(program, context)
  addVolumeCommands(program, context)
  addNodeCommands(program, context)
  addHandoffCommands(program, context)
  addCompletionCommands(program, context)

  const config = program.command('config').description('the configuration file')
  config
    .command('schema')
    .description('print the JSON schema of the configuration file')
    .addHelpText('after', examples('holdfast config schema > holdfast.schema.json'))
    .action(async () => writeAll(context.out, `${JSON.stringify(fileJsonSchema(), undefined, 2)}\n`))

  for (const [name, needs] of Object.entries(laterCommands)) {
    program
      .command(name)
      .description('(not available yet)')
      .argument('[words...]')
      .allowUnknownOption()
      .helpOption(false)
      .action(() => {
        throw new ConfigError(`"${name}" is not available yet: this version does not have ${needs}`, 'NOT_AVAILABLE')
      })
  }
  return program
}

function addClientCommands(program: Command, context: CommandContext): void {
  const client = (name: string, description: string, ...lines: readonly string[]): Command =>
    program
      .command(name)
      .description(description)
      .option('--password-file <file>', 'the password is the first line of it (else HOLDFAST_PASSWORD, or you are asked)')
      .addHelpText('after', examples(...lines))

  client(
    'ls',
    'list a folder, or the shares of a server',
    'holdfast ls -l smb://alice@server/docs/reports',
    'holdfast ls --json -r smb://alice@server:4450/docs',
  )
    .argument('<url>', 'smb://user@host[:port][/share/path]')
    .option('-l, --long', 'sizes and times as well')
    .option('-r, --recursive', 'folders below as well')
    .option('--json', 'one JSON object a line')
    .action(async (url: string, values: Values) => list(context, url, values))

  client(
    'cp',
    'copy files to, from or between servers',
    'holdfast cp film.mkv smb://alice@server/videos/',
    'holdfast cp -r smb://alice@server/docs ./backup',
  )
    .argument('<path...>', 'sources, and the target last: files, folders or URLs')
    .usage('[options] <source...> <target>')
    .option('-r, --recursive', 'folders with all that is in them')
    .option('-q, --quiet', 'no progress bar')
    .option('--json', 'one JSON object for each file copied')
    .action(async (paths: string[], values: Values) => copy(context, paths, values))

  client('cat', 'print files', 'holdfast cat smb://alice@server/docs/notes.txt')
    .argument('<url...>', 'smb://user@host[:port]/share/path')
    .action(async (urls: string[], values: Values) => cat(context, urls, values))

  client('rm', 'remove files', 'holdfast rm smb://alice@server/docs/old.txt', 'holdfast rm -rf smb://alice@server/docs/drafts')
    .argument('<url...>', 'smb://user@host[:port]/share/path')
    .option('-r, --recursive', 'folders with all that is in them')
    .option('-f, --force', 'what is not there is no error')
    .action(async (urls: string[], values: Values) => remove(context, urls, values))

  client('mkdir', 'make folders', 'holdfast mkdir -p smb://alice@server/docs/2026/november')
    .argument('<url...>', 'smb://user@host[:port]/share/path')
    .option('-p, --parents', 'those above as well; one that is there is no error')
    .action(async (urls: string[], values: Values) => makeFolders(context, urls, values))
}

function addUserCommands(program: Command, context: CommandContext): void {
  const user = program.command('user').description('who may connect; "add", "list" and "remove" work without a node as well')
  const stateDir = (values: Values): string => resolveConfig(flagsOf(values, stateWords), { cwd: context.cwd }).stateDir
  const command = (name: string, description: string, ...lines: readonly string[]): Command =>
    addWords(user.command(name).description(description), stateWords)
      .option('--json', 'JSON for scripts')
      .addHelpText('after', examples(...lines))

  command(
    'add',
    'add a user, or give one another password',
    'holdfast user add alice',
    'holdfast user add alice --generate',
    'HOLDFAST_PASSWORD=secret holdfast user add alice',
  )
    .argument('<name>')
    .option('--password-file <file>', 'the password is the first line of it (else HOLDFAST_PASSWORD, or you are asked)')
    .option('--generate', 'make a password and print it')
    .action(async (name: string, values: Values) => addUser(context, name, { ...values, stateDir: stateDir(values) }))
  const list = addNodeOptions(user.command('list').description('list the users'))
    .option('-l, --long', 'roles, and who may not log in, as well (asks a node)')
    .addHelpText('after', examples('holdfast user list --state /var/lib/holdfast', 'holdfast user list --long --server http://10.0.0.1:8080'))
    .action(async () => {
      const options = nodeOptionsOf(list.opts(), context)
      if (options.server !== undefined || options['long'] === true) return (await import('./commands/api/actions.ts')).listApiUsers(context, options)
      await listUsers(context, options)
    })
  command('remove', 'remove a user', 'holdfast user remove alice')
    .argument('<name>', 'a user')
    .action(async (name: string, values: Values) => removeUser(context, name, { ...values, stateDir: stateDir(values) }))
  addApiUserCommands(user, context)
}

/** Runs a command line (without `node` and the script's name) to its end. */
export async function run(words: readonly string[], context: CommandContext, version: string): Promise<ExitCode> {
  try {
    await createProgram(context, version).parseAsync(words, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    context.err.write(`holdfast: ${messageOf(error, context)}\n`)
    return error instanceof ConfigError || (error instanceof StateError && error.code === 'BAD_USER') ? 2 : 1
  }
}

/** One line for what people can do something about; the stack for what is our fault. */
function messageOf(error: unknown, { signal }: CommandContext): string {
  if (error instanceof CommandError && error.code === 'LEFT_RUNNING') return error.message
  if (signal.aborted) return 'interrupted'
  if (!(error instanceof Error)) return String(error)
  const isExpected =
    error instanceof ConfigError ||
    error instanceof CommandError ||
    error instanceof StateError ||
    (error as NodeJS.ErrnoException).code !== undefined
  return isExpected ? error.message : (error.stack ?? error.message)
}
