/** `holdfast user add|list|remove`: who may connect, in the state folder of a node that runs or not. */

import { randomInt } from 'node:crypto'
import { ConfigError } from '../config/errors.ts'
import { findPassword } from '../remote/password.ts'
import { openUserStore } from '../state/users.ts'
import { type CommandContext, printable, writeAll, writeJson } from './context.ts'

export interface UserOptions {
  readonly stateDir: string
  readonly json?: boolean
}

export interface AddUserOptions extends UserOptions {
  readonly passwordFile?: string
  /** Makes a password and prints it, this once. */
  readonly generate?: boolean
}

/** Without characters that look alike; 16 of them are 93 bits. */
const letters = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'

/** `xxxx-xxxx-xxxx-xxxx` */
export function generatePassword(random: (limit: number) => number = randomInt): string {
  const block = () => Array.from({ length: 4 }, () => letters[random(letters.length)]).join('')
  return [block(), block(), block(), block()].join('-')
}

/** Adds a user or gives a known one another password. */
export async function addUser(context: CommandContext, name: string, options: AddUserOptions): Promise<void> {
  const users = openUserStore(options.stateDir)
  const password = options.generate ? generatePassword() : await askPassword(context, name, options)
  const outcome = users.set({ name, password })
  const generated = options.generate ? { password } : {}
  if (options.json) return writeJson(context.out, { name, outcome, ...generated })
  const done = { added: `user ${name} added`, changed: `user ${name} has a new password`, unchanged: `user ${name} has that password already` }[
    outcome
  ]
  await writeAll(context.out, `${done}${options.generate ? `: ${password}` : ''}\n`)
}

async function askPassword(context: CommandContext, name: string, { passwordFile }: AddUserOptions): Promise<string> {
  const { environment, prompt } = context
  const sources = { environment, ...(passwordFile !== undefined && { passwordFile }), ...(prompt && { prompt }) }
  const password = await findPassword(`New password of ${name}: `, sources)
  const asked = passwordFile === undefined && environment['HOLDFAST_PASSWORD'] === undefined
  if (asked && (await prompt?.('Once more: ')) !== password) throw new ConfigError('the two passwords differ')
  return password
}

export async function listUsers(context: CommandContext, options: UserOptions): Promise<void> {
  for (const { name, sid, role, isDisabled, chap } of openUserStore(options.stateDir).list()) {
    if (options.json) await writeJson(context.out, { name, sid, role, disabled: isDisabled, iscsi: chap })
    else await writeAll(context.out, `${printable(name)}\n`)
  }
}

export async function removeUser(context: CommandContext, name: string, options: UserOptions): Promise<void> {
  openUserStore(options.stateDir).remove(name)
  if (options.json) await writeJson(context.out, { name, outcome: 'removed' })
  else await writeAll(context.out, `user ${name} removed\n`)
}
