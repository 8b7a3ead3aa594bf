/** `smb://[domain;]user@host[:port]/share/path`. */

import { parseAddress } from '../config/addresses.ts'
import { ConfigError, quoted } from '../config/errors.ts'

export interface RemoteUrl {
  readonly host: string
  /** 445, the port of SMB, where none is given. */
  readonly port: number
  /** `''` where the URL has none. */
  readonly user: string
  readonly domain: string
  /** `''` for a URL of the server itself. */
  readonly share: string
  /** Components separated by `/`; `''` is the share's root. */
  readonly path: string
  /** The URL ended with `/`: it means a folder. */
  readonly isFolder: boolean
}

export const urlAllowed = 'smb://user@host[:port]/share/path'
const smbPort = 445
const pattern = /^smb:\/\/(?:([^@/]*)@)?(\[[^\]]*\]|[^:/]+)(?::(\d+))?(\/.*)?$/i

export const isRemote = (text: string): boolean => /^smb:/i.test(text)

/** Throws ConfigError; also for a password in the URL, where everybody on the machine could read it. */
export function parseRemoteUrl(text: string): RemoteUrl {
  const match = pattern.exec(text)
  if (match === null) throw new ConfigError(`${quoted(text.replace(/:[^:@/]*@/, ':***@'))} is not allowed; allowed: ${urlAllowed}`)
  const [, account = '', host = '', port, path = ''] = match
  if (account.includes(':')) throw new ConfigError('a URL must not have a password in it; use HOLDFAST_PASSWORD, --password-file or the prompt')
  const address = parseAddress(port === undefined ? host : `${host}:${port}`, smbPort)
  if (address === undefined) throw new ConfigError(`${quoted(text)} is not allowed; allowed: ${urlAllowed}`)
  const semicolon = account.indexOf(';')
  const components = path
    .split('/')
    .filter(part => part !== '' && part !== '.')
    .map(part => decode(part, text))
  const wrong = components.find(part => part === '..' || /[/\\\u0000]/.test(part))
  if (wrong !== undefined) throw new ConfigError(`${quoted(text)} is not allowed; allowed: ${urlAllowed}, without ".." or "\\"`)
  const [share = '', ...rest] = components
  return {
    host: address.host,
    port: address.port,
    user: decode(account.slice(semicolon + 1), text),
    domain: decode(account.slice(0, Math.max(semicolon, 0)), text),
    share,
    path: rest.join('/'),
    isFolder: path.endsWith('/'),
  }
}

function decode(part: string, text: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // A lone % in a file's name is more likely than a URL that was encoded wrongly.
    if (/%(?![0-9a-f]{2})/i.test(part)) return part
    throw new ConfigError(`${quoted(text)} is not allowed; its %-escapes are no UTF-8`)
  }
}

/** Whether two URLs are of one session. */
export const sameServer = (a: RemoteUrl, b: RemoteUrl): boolean =>
  a.host === b.host && a.port === b.port && a.user === b.user && a.domain === b.domain
