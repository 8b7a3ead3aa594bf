/** Sessions that `holdfast login` keeps for later commands: tokens, by server, in a file for its owner alone. */

import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeFileAtomically } from '../../state/atomic-file.ts'
import { CommandError } from '../context.ts'

export interface SavedLogin {
  readonly user: string
  readonly token: string
  readonly expires: string
}

type Saved = Readonly<Record<string, SavedLogin>>

/** `$XDG_CONFIG_HOME/holdfast/logins.json` (XDG Base Directory Specification). Throws where there is no home. */
export function loginsFile(environment: Readonly<Record<string, string | undefined>>): string {
  const { XDG_CONFIG_HOME: config, HOME: home } = environment
  if (config) return join(config, 'holdfast', 'logins.json')
  if (home) return join(home, '.config', 'holdfast', 'logins.json')
  throw new CommandError('there is no place to keep a login: set HOME or XDG_CONFIG_HOME', 'NO_HOME')
}

function readLogins(path: string): Saved {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Saved
  } catch (error) {
    // None yet; what is no JSON is of no use, and the next login replaces it.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return {}
    throw error
  }
}

/** Undefined where there is none, or where it has ended. */
export function findLogin(path: string, server: string, now = Date.now()): SavedLogin | undefined {
  const logins = readLogins(path)
  const login = Object.hasOwn(logins, server) ? logins[server] : undefined
  return login !== undefined && Date.parse(login.expires) > now ? login : undefined
}

/** Keeps one for a server, or forgets it. */
export function saveLogin(path: string, server: string, login: SavedLogin | undefined): void {
  const { [server]: _before, ...others } = readLogins(path)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileAtomically(path, `${JSON.stringify({ ...others, ...(login && { [server]: login }) }, undefined, 2)}\n`)
}

/** Servers with a login that has not ended. */
export function savedServers(environment: Readonly<Record<string, string | undefined>>): { readonly server: string; readonly user: string }[] {
  const path = loginsFile(environment)
  return Object.keys(readLogins(path)).flatMap(server => {
    const login = findLogin(path, server)
    return login === undefined ? [] : [{ server, user: login.user }]
  })
}
