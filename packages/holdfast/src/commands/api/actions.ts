/** What the commands over the API do, besides those for volumes. */

import { resolve } from 'node:path'
import { ConfigError } from '../../config/errors.ts'
import { findPassword } from '../../remote/password.ts'
import { CommandError, type CommandContext, printable, writeAll, writeJson } from '../context.ts'
import { generatePassword } from '../user-commands.ts'
import { findLogin, loginsFile, saveLogin } from './logins.ts'
import { type OperateOptions, withOperator } from './operate.ts'
import { type ApiOptions, isAway, passwordOf, serverUrl, toCommandError, withApi } from './session.ts'
import { tellDone, tellList, tellOne } from './show.ts'
import { type Cell, table, timeText } from './table.ts'
import { nameOfTarget, stateCell, views } from './views.ts'
import type { ApiEvent, ConnectionState } from '@holdfast/api-client'

async function collect<T>(items: AsyncIterable<T>, limit = Infinity): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) {
    found.push(item)
    if (found.length >= limit) break
  }
  return found
}

// Shares

export interface ShareOptions extends OperateOptions {
  readonly path?: string
  /** False: none. */
  readonly option?: readonly string[] | false
  readonly comment?: string
}

/** A folder as whoever types it means it: of this machine, where the node is on it. */
const folderOf = (context: CommandContext, path: string, { server }: ApiOptions): string => (server === undefined ? resolve(context.cwd, path) : path)

export async function listShares(context: CommandContext, options: ApiOptions): Promise<void> {
  await tellList(context, views.share, await withApi(context, options, api => collect(api.all('share.list'))), options)
}

export async function showShare(context: CommandContext, name: string, options: ApiOptions): Promise<void> {
  await tellOne(context, views.share, await withApi(context, options, api => api.shares.show(name)), options)
}

export async function createShare(context: CommandContext, name: string, path: string, options: ShareOptions): Promise<void> {
  const { option, comment } = options
  const asked = { name, path: folderOf(context, path, options), ...(option && { options: [...option] }), ...(comment !== undefined && { comment }) }
  const made = await withOperator(context, options, operator => operator.run('share.create', asked))
  if (made) await tellDone(context, options, made, `share ${printable(made.name)} made: ${printable(made.path)}`)
}

export async function changeShare(context: CommandContext, name: string, options: ShareOptions): Promise<void> {
  const { path, option, comment } = options
  const change = {
    ...(path !== undefined && { path: folderOf(context, path, options) }),
    ...(option !== undefined && { options: option === false ? [] : [...option] }),
    ...(comment !== undefined && { comment }),
  }
  if (Object.keys(change).length === 0) throw new ConfigError('there is nothing to change; give --path, --option, --no-option or --comment')
  const changed = await withOperator(context, options, operator => operator.run('share.change', name, change))
  if (changed) await tellDone(context, options, changed, `share ${printable(changed.name)} changed`)
}

export async function deleteShare(context: CommandContext, name: string, options: OperateOptions): Promise<void> {
  const done = await withOperator(context, options, operator => operator.run('share.delete', name))
  if (done !== undefined)
    await tellDone(context, options, { name, outcome: 'deleted' }, `share ${printable(name)} deleted; its files are where they were`)
}

// Users

export interface UserOptions extends OperateOptions {
  readonly role?: string
  readonly passwordFile?: string
  readonly generate?: boolean
  /** Of `change`: gives another password. */
  readonly newPassword?: boolean
  readonly disable?: boolean
  readonly enable?: boolean
}

const roles = ['user', 'viewer', 'admin'] as const
type Role = (typeof roles)[number]

function roleOf({ role }: UserOptions): { readonly role?: Role } {
  if (role === undefined) return {}
  const found = roles.find(known => known === role)
  if (found === undefined) throw new ConfigError(`--role: "${printable(role)}" is not allowed; allowed: ${roles.join(', ')}`)
  return { role: found }
}

/** The password of somebody else than who logs in: HOLDFAST_PASSWORD is theirs where somebody has to. */
async function newPassword(context: CommandContext, name: string, { passwordFile, generate = false, server }: UserOptions): Promise<string> {
  if (generate) return generatePassword()
  const { prompt, environment } = context
  const given = environment['HOLDFAST_NEW_PASSWORD'] ?? (server === undefined ? environment['HOLDFAST_PASSWORD'] : undefined)
  const question = `New password of ${name}: `
  const password = await findPassword(question, {
    environment: { HOLDFAST_PASSWORD: given },
    ...(passwordFile !== undefined && { passwordFile }),
    ...(prompt && { prompt }),
  })
  const isTyped = passwordFile === undefined && given === undefined
  if (isTyped && (await prompt?.('Once more: ')) !== password) throw new ConfigError('the two passwords differ')
  return password
}

export async function listApiUsers(context: CommandContext, options: ApiOptions): Promise<void> {
  await tellList(context, views.user, await withApi(context, options, api => collect(api.all('user.list'))), options)
}

export async function showUser(context: CommandContext, name: string, options: ApiOptions): Promise<void> {
  await tellOne(context, views.user, await withApi(context, options, api => api.users.show(name)), options)
}

export async function createUser(context: CommandContext, name: string, options: UserOptions): Promise<void> {
  const asked = { name, ...roleOf(options), password: await newPassword(context, name, options) }
  const made = await withOperator(context, options, operator => operator.run('user.create', asked))
  const generated = options.generate ? { password: asked.password } : {}
  if (made)
    await tellDone(
      context,
      options,
      { ...made, ...generated },
      `user ${printable(made.name)} made, with the role ${made.role}${tellPassword(generated)}`,
    )
}

const tellPassword = ({ password }: { readonly password?: string }): string => (password === undefined ? '' : `: ${password}`)

export async function changeUser(context: CommandContext, name: string, options: UserOptions): Promise<void> {
  const { disable = false, enable = false, newPassword: wantsPassword = false, passwordFile, generate = false } = options
  if (disable && enable) throw new ConfigError('--disable and --enable exclude each other')
  const isNew = wantsPassword || generate || passwordFile !== undefined
  const password = isNew ? await newPassword(context, name, options) : undefined
  const change = { ...roleOf(options), ...(password !== undefined && { password }), ...((disable || enable) && { disabled: disable }) }
  if (Object.keys(change).length === 0)
    throw new ConfigError('there is nothing to change; give --role, --new-password, --generate, --disable or --enable')
  const changed = await withOperator(context, options, operator => operator.run('user.change', name, change))
  const generated = generate && password !== undefined ? { password } : {}
  if (changed) await tellDone(context, options, { ...changed, ...generated }, `user ${printable(changed.name)} changed${tellPassword(generated)}`)
}

export async function deleteUser(context: CommandContext, name: string, options: OperateOptions): Promise<void> {
  const done = await withOperator(context, options, operator => operator.run('user.delete', name))
  if (done !== undefined) await tellDone(context, options, { name, outcome: 'deleted' }, `user ${printable(name)} deleted`)
}

// Operations

export interface OperationListOptions extends ApiOptions {
  readonly state?: string
  readonly limit?: string
}

const limitDefault = 50

function limitOf({ limit = String(limitDefault) }: { readonly limit?: string }): number {
  if (!/^[1-9]\d{0,6}$/.test(limit)) throw new ConfigError(`--limit: "${printable(limit)}" is not allowed; allowed: a number from 1`)
  return Number(limit)
}

export async function listOperations(
  context: CommandContext,
  options: ApiOptions & { readonly only?: string; readonly limit?: string },
): Promise<void> {
  const limit = limitOf(options)
  const state = options.only as 'running' | undefined // the node knows which there are
  const query = { limit: Math.min(limit, 1000), ...(state !== undefined && { state }) }
  const found = await withApi(context, options, api => collect(api.all('operation.list', query), limit))
  await tellList(context, views.operation, found, options)
}

export async function showOperation(context: CommandContext, id: string, options: ApiOptions & { readonly follow?: boolean }): Promise<void> {
  if (options.follow === true) await withOperator(context, options, operator => operator.follow(id))
  await tellOne(context, views.operation, await withApi(context, options, api => api.operations.show(id)), options)
}

export async function cancelOperation(context: CommandContext, id: string, options: ApiOptions): Promise<void> {
  const operation = await withApi(context, options, api => api.operations.cancel(id))
  const text = operation.state === 'cancelled' ? 'cancelled' : `${operation.state}: what it has done is being undone`
  await tellDone(context, options, operation, `operation ${id} ${text}`)
}

// Sessions and open files

export async function listSessions(context: CommandContext, options: ApiOptions): Promise<void> {
  await tellList(context, views.session, await withApi(context, options, api => collect(api.all('session.list'))), options)
}

export async function showSession(context: CommandContext, id: string, options: ApiOptions): Promise<void> {
  await tellOne(context, views.session, await withApi(context, options, api => api.sessions.show(id)), options)
}

export async function disconnectSession(context: CommandContext, id: string, options: OperateOptions): Promise<void> {
  const done = await withOperator(context, options, operator => operator.run('session.disconnect', id))
  if (done !== undefined) await tellDone(context, options, { id, outcome: 'disconnected' }, `session ${printable(id)} ended`)
}

export interface OpenListOptions extends ApiOptions {
  readonly share?: string
  readonly session?: string
  readonly by?: string
}

export async function listOpens(context: CommandContext, options: OpenListOptions): Promise<void> {
  const { share, session, by } = options
  const query = { ...(share !== undefined && { share }), ...(session !== undefined && { session }), ...(by !== undefined && { user: by }) }
  await tellList(context, views.open, await withApi(context, options, api => collect(api.all('open.list', query))), options)
}

export async function closeOpen(context: CommandContext, id: string, options: OperateOptions): Promise<void> {
  const done = await withOperator(context, options, operator => operator.run('open.close', id))
  if (done !== undefined) await tellDone(context, options, { id, outcome: 'closed' }, `open ${printable(id)} closed`)
}

// The node, its audit log, its events

export async function listNodes(context: CommandContext, options: ApiOptions): Promise<void> {
  await tellList(context, views.node, [await withApi(context, options, api => api.node())], options)
}

export async function showNode(context: CommandContext, options: ApiOptions): Promise<void> {
  await tellOne(context, views.node, await withApi(context, options, api => api.node()), options)
}

export async function listAudit(context: CommandContext, options: ApiOptions & { readonly limit?: string }): Promise<void> {
  const limit = limitOf(options)
  const found = await withApi(context, options, api => collect(api.all('audit.list', { limit: Math.min(limit, 1000) }), limit))
  await tellList(context, views.audit, found, options)
}

export interface EventsOptions extends ApiOptions {
  readonly after?: string
  readonly overview?: boolean
}

/** Until Ctrl-C. */
export async function followEvents(context: CommandContext, options: EventsOptions): Promise<void> {
  const { after, overview = false, json = false } = options
  const { signal } = context
  const onConnection = (state: ConnectionState, error?: Error): void => {
    if (isAway(state, error)) context.err.write('the node is away; waiting for it\n')
  }
  await withApi(
    context,
    options,
    async api => {
      for await (const event of api.events({ overview, signal, ...(after !== undefined && { after }) })) {
        if (json) await writeJson(context.out, { event: event.event, id: event.id, data: event.data })
        else await writeAll(context.out, eventLine(event, context.colours ?? false))
      }
    },
    { onConnection },
  )
}

/** As long as `cancelling`: lines come one by one, and stand below each other. */
const stateColumns = 10

/** `ID  time  state  42%  kind  name  what it is at` */
export function eventLine(event: ApiEvent, colours: boolean): string {
  const cells = eventCells(event)
  return table([cells], { colours })
}

function eventCells({ event, id, data }: ApiEvent): readonly Cell[] {
  if (event === 'resync') return [id, { text: 'resync', colour: 'yellow' }, `what came before is gone: ${data.reason}`]
  if (event === 'overview') {
    const { connections, sessions, opens, requestsTotal } = data
    return ['overview', `${connections} connections`, `${sessions} sessions`, `${opens} opens`, `${requestsTotal} requests`]
  }
  const { state, percent, kind, target, note, problem, at } = data
  return [
    id,
    timeText(at),
    { ...stateCell(state), text: state.padEnd(stateColumns) },
    `${String(Math.floor(percent)).padStart(3)}%`,
    kind,
    nameOfTarget(target),
    problem?.detail ?? note ?? '',
  ]
}

// Logging in

export interface LoginOptions {
  readonly user?: string
  readonly json?: boolean
}

/** Keeps a session for later commands. */
export async function login(context: CommandContext, server: string, { user, json = false }: LoginOptions): Promise<void> {
  if (user === undefined) throw new ConfigError('--user is missing: who logs in?')
  const url = serverUrl(server)
  const path = loginsFile(context.environment)
  try {
    const { connect } = await import('@holdfast/api-client/node')
    await using api = await connect({ url, ...(await passwordOf(context, url, user)) })
    const { role, expires, user: name } = api.session
    saveLogin(path, url, { user: name, token: api.token ?? '', expires })
    await tellDone(
      context,
      { json },
      { server: url, user: name, role, expires },
      `logged in at ${url} as ${printable(name)} (${role}), until ${timeText(expires)} UTC`,
    )
  } catch (error) {
    throw toCommandError(error, { stateDir: '', server: url })
  }
}

/** Ends what `login` began. */
export async function logout(context: CommandContext, server: string): Promise<void> {
  const url = serverUrl(server)
  const path = loginsFile(context.environment)
  const saved = findLogin(path, url)
  saveLogin(path, url, undefined)
  if (saved === undefined) throw new CommandError(`nobody was logged in at ${url}`, 'NOT_LOGGED_IN')
  const { connect } = await import('@holdfast/api-client/node')
  // A session that has ended, or a node that is gone, leaves nothing to end.
  await connect({ url, token: saved.token }).then(
    api => api.logout(),
    () => undefined,
  )
  await writeAll(context.out, `logged out at ${url}\n`)
}
