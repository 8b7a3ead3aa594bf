/** `holdfast share|operation|session|open|node|audit|events|login|logout`: words for what the API does. */

import type { Command } from 'commander'
import type * as actions from '../commands/api/actions.ts'
import type { CommandContext } from '../commands/context.ts'
import { addNodeOptions, collected, examples, nodeOptionsOf, type Values } from './words.ts'

type Actions = typeof actions
type NodeOptions = ReturnType<typeof nodeOptionsOf>

/** A command over the API: what it is called, what it says of itself, what it takes, and what it does. */
interface ApiCommand {
  readonly name: string
  /** Another name. */
  readonly alias?: string
  readonly description: string
  readonly examples: readonly string[]
  /** `<name>`, with what it is. */
  readonly arguments?: readonly (readonly [name: string, description: string])[]
  readonly options?: readonly (readonly [flags: string, description: string, isRepeatable?: true])[]
  /** Takes time: `--no-wait` is an option. */
  readonly isOperation?: true
  /** Without it, and without a word after the group's name, this is what is done. */
  readonly isDefault?: true
  readonly run: (actions: Actions, context: CommandContext, names: readonly string[], options: NodeOptions) => Promise<void>
}

interface CommandGroup {
  readonly name: string
  readonly description: string
  readonly commands: readonly ApiCommand[]
}

const shareOptionWords = 'read-only, encrypt, continuous-availability'
const nameOf = (names: readonly string[]): string => names[0] ?? ''
const sharePath = ['<dir>', 'a folder of the node'] as const

const groups: readonly CommandGroup[] = [
  {
    name: 'share',
    description: 'folders that a running node shares over SMB',
    commands: [
      {
        name: 'create',
        description: 'share a folder',
        examples: ['holdfast share create docs /srv/docs', 'holdfast share create docs /srv/docs --option encrypt --comment "All of us"'],
        arguments: [['<name>', 'what clients call it'], sharePath],
        options: [
          ['--option <option>', `such as ${shareOptionWords} (repeatable)`, true],
          ['--comment <text>', 'what clients are told of it'],
        ],
        isOperation: true,
        run: (actions, context, [name = '', path = ''], options) => actions.createShare(context, name, path, options),
      },
      {
        name: 'list',
        description: 'list the shares',
        examples: ['holdfast share list', 'holdfast share list --json --server http://10.0.0.1:8080'],
        run: (actions, context, _names, options) => actions.listShares(context, options),
      },
      {
        name: 'show',
        description: 'show a share',
        examples: ['holdfast share show docs'],
        arguments: [['<name>', 'a share']],
        run: (actions, context, names, options) => actions.showShare(context, nameOf(names), options),
      },
      {
        name: 'change',
        description: 'change a share while it is in use',
        examples: ['holdfast share change docs --option read-only', 'holdfast share change docs --no-option --comment ""'],
        arguments: [['<name>', 'a share']],
        options: [
          ['--path <dir>', 'another folder'],
          ['--option <option>', `all options it shall have, such as ${shareOptionWords} (repeatable)`, true],
          ['--no-option', 'without options'],
          ['--comment <text>', 'what clients are told of it'],
        ],
        isOperation: true,
        run: (actions, context, names, options) => actions.changeShare(context, nameOf(names), options),
      },
      {
        name: 'delete',
        description: 'end a share and what is open of it; its files stay',
        examples: ['holdfast share delete docs'],
        arguments: [['<name>', 'a share']],
        isOperation: true,
        run: (actions, context, names, options) => actions.deleteShare(context, nameOf(names), options),
      },
    ],
  },
  {
    name: 'operation',
    description: 'what was asked for, and what became of it',
    commands: [
      {
        name: 'list',
        description: 'list operations, the newest first',
        examples: ['holdfast operation list', 'holdfast operation list --only running'],
        options: [
          ['--only <state>', 'queued, running, cancelling, succeeded, failed or cancelled'],
          ['--limit <count>', 'as many at most (default: 50)'],
        ],
        run: (actions, context, _names, options) => actions.listOperations(context, options),
      },
      {
        name: 'show',
        description: 'show an operation',
        examples: ['holdfast operation show 01JD3ZK6', 'holdfast operation show 01JD3ZK6 --follow'],
        arguments: [['<id>', 'an operation']],
        options: [['--follow', 'until it has ended']],
        run: (actions, context, names, options) => actions.showOperation(context, nameOf(names), options),
      },
      {
        name: 'cancel',
        alias: 'delete',
        description: 'cancel an operation: what it has done is undone',
        examples: ['holdfast operation cancel 01JD3ZK6'],
        arguments: [['<id>', 'an operation']],
        run: (actions, context, names, options) => actions.cancelOperation(context, nameOf(names), options),
      },
    ],
  },
  {
    name: 'session',
    description: 'clients that are connected, over SMB and iSCSI',
    commands: [
      {
        name: 'list',
        description: 'list the sessions of clients',
        examples: ['holdfast session list'],
        run: (actions, context, _names, options) => actions.listSessions(context, options),
      },
      {
        name: 'show',
        description: 'show a session',
        examples: ['holdfast session show smb-1a2b3c'],
        arguments: [['<id>', 'a session']],
        run: (actions, context, names, options) => actions.showSession(context, nameOf(names), options),
      },
      {
        name: 'disconnect',
        alias: 'delete',
        description: 'end a session',
        examples: ['holdfast session disconnect smb-1a2b3c'],
        arguments: [['<id>', 'a session']],
        isOperation: true,
        run: (actions, context, names, options) => actions.disconnectSession(context, nameOf(names), options),
      },
    ],
  },
  {
    name: 'open',
    description: 'files that clients have open over SMB',
    commands: [
      {
        name: 'list',
        description: 'list the open files',
        examples: ['holdfast open list', 'holdfast open list --share docs --by alice'],
        options: [
          ['--share <name>', 'those of a share'],
          ['--session <id>', 'those of a session'],
          ['--by <name>', 'those of a user'],
        ],
        run: (actions, context, _names, options) => actions.listOpens(context, options),
      },
      {
        name: 'close',
        alias: 'delete',
        description: 'close an open file, whatever its client does',
        examples: ['holdfast open close 000000000000002a'],
        arguments: [['<id>', 'an open file']],
        isOperation: true,
        run: (actions, context, names, options) => actions.closeOpen(context, nameOf(names), options),
      },
    ],
  },
  {
    name: 'node',
    description: 'the node itself',
    commands: [
      {
        name: 'list',
        description: 'list the nodes',
        examples: ['holdfast node list'],
        run: (actions, context, _names, options) => actions.listNodes(context, options),
      },
      {
        name: 'show',
        description: 'show the node that answers',
        examples: ['holdfast node show', 'holdfast node show --server http://10.0.0.1:8080 --user admin'],
        isDefault: true,
        run: (actions, context, _names, options) => actions.showNode(context, options),
      },
    ],
  },
  {
    name: 'audit',
    description: 'who did what',
    commands: [
      {
        name: 'list',
        description: 'list what was done and refused, the newest first',
        examples: ['holdfast audit list --limit 20'],
        options: [['--limit <count>', 'as many at most (default: 50)']],
        isDefault: true,
        run: (actions, context, _names, options) => actions.listAudit(context, options),
      },
    ],
  },
]

const userCommands: readonly ApiCommand[] = [
  {
    name: 'create',
    description: 'add a user to a running node',
    examples: ['holdfast user create alice', 'holdfast user create carol --role viewer --generate'],
    arguments: [['<name>', 'who logs in']],
    options: [
      ['--role <role>', 'user: storage only (default); viewer: may look at management; admin: may change things'],
      ['--password-file <file>', 'the password is the first line of it (else HOLDFAST_NEW_PASSWORD, or you are asked)'],
      ['--generate', 'make a password and print it'],
    ],
    isOperation: true,
    run: (actions, context, names, options) => actions.createUser(context, nameOf(names), options),
  },
  {
    name: 'show',
    description: 'show a user',
    examples: ['holdfast user show alice'],
    arguments: [['<name>', 'a user']],
    run: (actions, context, names, options) => actions.showUser(context, nameOf(names), options),
  },
  {
    name: 'change',
    description: 'change a role or a password, or lock a user out',
    examples: ['holdfast user change alice --role admin', 'holdfast user change bob --disable'],
    arguments: [['<name>', 'a user']],
    options: [
      ['--role <role>', 'user, viewer or admin'],
      ['--new-password', 'another password, from HOLDFAST_NEW_PASSWORD or a prompt'],
      ['--password-file <file>', 'another password, the first line of it'],
      ['--generate', 'make another password and print it'],
      ['--disable', 'may not log in, and loses the sessions there are'],
      ['--enable', 'may log in again'],
    ],
    isOperation: true,
    run: (actions, context, names, options) => actions.changeUser(context, nameOf(names), options),
  },
  {
    name: 'delete',
    description: 'delete a user of a running node, and end their sessions',
    examples: ['holdfast user delete alice'],
    arguments: [['<name>', 'a user']],
    isOperation: true,
    run: (actions, context, names, options) => actions.deleteUser(context, nameOf(names), options),
  },
]

function addApiCommand(parent: Command, context: CommandContext, given: ApiCommand): void {
  const command = addNodeOptions(parent.command(given.name, { isDefault: given.isDefault ?? false }).description(given.description))
  if (given.alias !== undefined) command.alias(given.alias)
  for (const [name, description] of given.arguments ?? []) command.argument(name, description)
  for (const [flags, description, isRepeatable] of given.options ?? []) {
    if (isRepeatable === true) command.option(flags, description, collected)
    else command.option(flags, description)
  }
  if (given.isOperation === true) command.option('--no-wait', 'end with the receipt; the operation goes on')
  command.addHelpText('after', examples(...given.examples)).action(async () => {
    const actions = await import('../commands/api/actions.ts')
    await given.run(actions, context, command.args, nodeOptionsOf(command.opts(), context))
  })
}

/** Adds them all. */
export function addNodeCommands(program: Command, context: CommandContext): void {
  for (const { name, description, commands } of groups) {
    const group = program.command(name).description(description)
    for (const command of commands) addApiCommand(group, context, command)
  }
  const events = addNodeOptions(program.command('events').description("follow the session's event stream, until Ctrl-C"))
    .option('--after <id>', 'go on after this event')
    .option('--overview', 'how much is going on as well, once a second')
    .addHelpText('after', examples('holdfast events --server http://10.0.0.1:8080', 'holdfast events --overview --json'))
    .action(async () => (await import('../commands/api/actions.ts')).followEvents(context, nodeOptionsOf(events.opts(), context)))

  program
    .command('login')
    .description('log in at a node, for the commands that follow')
    .argument('<url>', 'such as http://10.0.0.1:8080')
    .requiredOption('--user <name>', 'who logs in, with the password in HOLDFAST_PASSWORD or at a prompt')
    .option('--json', 'JSON for scripts')
    .addHelpText('after', examples('holdfast login http://10.0.0.1:8080 --user admin', 'holdfast volume list --server http://10.0.0.1:8080'))
    .action(async (url: string, values: Values) => (await import('../commands/api/actions.ts')).login(context, url, values))
  program
    .command('logout')
    .description('end what "holdfast login" began')
    .argument('<url>', 'such as http://10.0.0.1:8080')
    .addHelpText('after', examples('holdfast logout http://10.0.0.1:8080'))
    .action(async (url: string) => (await import('../commands/api/actions.ts')).logout(context, url))
}

/** Adds what of users goes through a node. */
export function addApiUserCommands(user: Command, context: CommandContext): void {
  for (const command of userCommands) addApiCommand(user, context, command)
}
