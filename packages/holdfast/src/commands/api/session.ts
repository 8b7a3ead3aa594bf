/** Which node a command talks to, and as whom. */

import type { ApiClient, ConnectionState, ConnectOptions } from '@holdfast/api-client'
import { ApiError, connect } from '@holdfast/api-client/node'
import { ConfigError, quoted } from '../../config/errors.ts'
import { socketPath } from '../../control/socket-path.ts'
import { controlSocketOf } from '../../node/control-socket.ts'
import { findPassword } from '../../remote/password.ts'
import { CommandError, type CommandContext } from '../context.ts'
import { findLogin, loginsFile } from './logins.ts'

export interface ApiOptions {
  /** Where the node of this machine has its control socket. */
  readonly stateDir: string
  /** Another node, by its address of HTTP. */
  readonly server?: string
  /** Who logs in there; whom `holdfast login` has logged in where undefined. */
  readonly user?: string
  readonly json?: boolean
}

/** A session for the time of a command. */
export interface ApiSession extends AsyncDisposable {
  readonly api: ApiClient
}

export const serverAllowed = 'http://HOST:PORT'

/** `localhost:8080` -> `http://localhost:8080` */
export function serverUrl(text: string): string {
  const url = URL.parse(/^https?:\/\//i.test(text) ? text : `http://${text}`)
  if (url === null || url.username !== '' || url.pathname !== '/' || url.search !== '')
    throw new ConfigError(`--server: ${quoted(text)} is not allowed; allowed: ${serverAllowed}`)
  return url.origin
}

type Listening = Pick<ConnectOptions, 'onConnection' | 'signal' | 'patienceMs'>

/** The node that the options name. A session that is begun for the command ends with it; its operations do not. */
export async function openApi(context: CommandContext, options: ApiOptions, listening: Listening = {}): Promise<ApiSession> {
  if (options.server === undefined) return openLocal(options, listening)
  const url = serverUrl(options.server)
  if (options.user !== undefined) return ending(await connect({ url, ...(await passwordOf(context, url, options.user)), ...listening }))
  const saved = findLogin(loginsFile(context.environment), url)
  if (saved === undefined) throw new ConfigError(`nobody is logged in at ${url}: say --user NAME, or run "holdfast login ${url} --user NAME" first`)
  const api = await connect({ url, token: saved.token, ...listening })
  return { api, [Symbol.asyncDispose]: () => api.close() }
}

/** A user with the password, from HOLDFAST_PASSWORD or by asking. */
export async function passwordOf({ environment, prompt }: CommandContext, url: string, user: string): Promise<{ user: string; password: string }> {
  const question = `Password of ${user} at ${new URL(url).host}: `
  return { user, password: await findPassword(question, { environment, ...(prompt && { prompt }) }) }
}

async function openLocal({ stateDir, user }: ApiOptions, listening: Listening): Promise<ApiSession> {
  if (user !== undefined) throw new ConfigError('--user is for --server: on this machine nobody needs a password')
  const socket = socketPath(controlSocketOf(stateDir))
  try {
    const api = await connect({ socketPath: socket.path, ...listening })
    const session = ending(api)
    return {
      api,
      async [Symbol.asyncDispose]() {
        await session[Symbol.asyncDispose]()
        socket[Symbol.dispose]()
      },
    }
  } catch (error) {
    socket[Symbol.dispose]()
    throw error
  }
}

function ending(api: ApiClient): ApiSession {
  return {
    api,
    async [Symbol.asyncDispose]() {
      // A node that is gone just now ends it in an hour.
      await api.logout({ signal: AbortSignal.timeout(goodbyeMs) }).catch(() => api.close())
    },
  }
}

const goodbyeMs = 1000

/** What can be done about an error, by its code. */
const advice: Readonly<Record<string, string>> = {
  NOT_LOGGED_IN: 'the session is over: run "holdfast login" again, or say --user NAME',
  WRONG_CREDENTIALS: 'check --user and the password; HOLDFAST_PASSWORD is taken where it is set',
  FORBIDDEN: 'it takes a user with the role that this needs: "holdfast user show NAME" tells, "holdfast user change NAME --role" changes it',
  TOO_MANY_ATTEMPTS: 'wait a minute before the next try',
  OPERATION_ENDED: '"holdfast operation show ID" tells how',
  NO_SPACE: 'free some space, and try again',
}
/** Codes of requests that were not as they should be: wrong usage. */
const misuse = /^(INVALID(_.*)?|MALFORMED)$/

/** An error of the API in the words of a command: one line that names the fix. Others as they are. */
export function toCommandError(error: unknown, { stateDir, server }: ApiOptions): unknown {
  if (!(error instanceof ApiError)) return error
  if (error.code === 'UNREACHABLE') return new CommandError(unreachableText(error, { stateDir, server }), 'NO_NODE', { cause: error })
  if (/^(HTTP_\d+|UNEXPECTED_ANSWER)$/.test(error.code))
    return new CommandError(
      `${error.message}; whoever answers ${server === undefined ? 'there' : `at ${server}`} is no node of this version`,
      error.code,
    )
  const fields = error.errors.map(({ field, message }) => `${field}: ${message}`).join('; ')
  const text = [fields === '' ? error.message : fields, advice[error.code]].filter(part => part !== undefined).join('; ')
  const line = text.replaceAll(/\s*\n\s*/g, ' ')
  return misuse.test(error.code) ? new ConfigError(line, error.code, { cause: error }) : new CommandError(line, error.code, { cause: error })
}

function unreachableText(error: ApiError, { stateDir, server }: Pick<ApiOptions, 'stateDir'> & { readonly server: string | undefined }): string {
  if (server !== undefined) return `${error.message}; is "holdfast serve --http" running there?`
  return `no node runs on the state folder ${stateDir}: start one with "holdfast serve", or say --state DIR or --server ${serverAllowed}`
}

/** Whether nobody answers; another command that takes its turn with the session's stream is no news. */
export const isAway = (state: ConnectionState, error: Error | undefined): boolean =>
  state === 'lost' && !(error instanceof ApiError && error.code === 'STREAM_REPLACED')

/** Runs `action` in a session, and words what goes wrong: `NO_NODE` where nobody has been asked for anything, `NODE_LOST` where somebody may have been. */
export async function withApi<T>(
  context: CommandContext,
  options: ApiOptions,
  action: (api: ApiClient) => Promise<T>,
  listening: Listening = {},
): Promise<T> {
  await using session = await openApi(context, options, listening).catch((error: unknown) => {
    throw toCommandError(error, options)
  })
  try {
    return await action(session.api)
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'UNREACHABLE') throw toCommandError(error, options)
    throw new CommandError('the node is gone; when it is back, "holdfast operation list" tells what has become of this', 'NODE_LOST', {
      cause: error,
    })
  }
}
