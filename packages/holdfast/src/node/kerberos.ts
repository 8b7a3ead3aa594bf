/** Login with Kerberos: the keytab, and whom a principal stands for. */

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { decodeKeytab, isFileService, kerberosMechanisms, openKerberosAcceptor, parsePrincipal } from '@holdfast/smb/security'
import type { KerberosRefusal, KeytabEntry, MechanismEntry, Principal } from '@holdfast/smb/security'
import { ConfigError, quoted } from '../config/errors.ts'
import type { Accounts } from './accounts.ts'
import type { NodeKerberos } from './node-config.ts'

/** Longer than any keytab; a wrong path should not be read into memory. */
const keytabBytesMax = 1024 * 1024

/** Logins that were accepted, so that they are not accepted twice (RFC 4120 3.2.3). All workers share it. */
const replayCacheOf = (stateDir: string): string => join(stateDir, 'kerberos-replays')

/**
 * Looks at the keytab before anything listens, and fills in its realms. Throws ConfigError that says what to do: for a file that is missing,
 * cannot be read, can be read by everybody, or has no key for an SMB server, and where Kerberos' library is missing.
 */
export function checkedKerberos(kerberos: NodeKerberos, stateDir: string): Required<NodeKerberos> {
  const { keytab } = kerberos
  const principals = readKeytab(keytab)
    .map(({ principal }) => parsePrincipal(principal))
    .filter(principal => principal !== undefined)
  const services = principals.filter(isFileService)
  if (services.length === 0) {
    const there = [...new Set(principals.map(nameOf))].join(', ')
    throw problem(keytab, `has no key for cifs/NAME or host/NAME (it has ${there === '' ? 'none at all' : quoted(there)}); ${howToMake}`)
  }
  try {
    openKerberosAcceptor({ keytab, replayCache: replayCacheOf(stateDir) })[Symbol.dispose]()
  } catch (error) {
    throw new ConfigError(`--keytab: ${(error as Error).message}`, 'KERBEROS', { cause: error })
  }
  return { keytab, realms: kerberos.realms ?? [...new Set(services.map(({ realm }) => realm))] }
}

const howToMake = 'make one with "ktadd -k FILE cifs/NAME" in kadmin, "ktpass" on Windows, or "net ads keytab create" of Samba'
const problem = (path: string, what: string): ConfigError => new ConfigError(`--keytab: ${quoted(path)} ${what}`, 'KERBEROS')
const nameOf = ({ primary, instance }: Principal): string => (instance === undefined ? primary : `${primary}/${instance}`)

function readKeytab(path: string): KeytabEntry[] {
  let bytes: Buffer
  try {
    const { mode, size } = statSync(path)
    if ((mode & 0o007) !== 0) {
      throw problem(path, `can be read by everybody on this machine, who could log in as anybody with it; "chmod o= ${path}", and make new keys`)
    }
    if (size > keytabBytesMax) throw problem(path, `is longer than ${keytabBytesMax} bytes, so it is no keytab`)
    bytes = readFileSync(path)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw problem(path, readProblems[(error as NodeJS.ErrnoException).code ?? ''] ?? `cannot be read: ${(error as Error).message}`)
  }
  try {
    return decodeKeytab(bytes)
  } catch {
    // What exactly is wrong with the bytes helps nobody.
    throw problem(path, `is no keytab; ${howToMake}`)
  }
}

const readProblems: Readonly<Record<string, string>> = {
  ENOENT: `is not there; ${howToMake}`,
  EACCES: 'cannot be read by the user who runs the server; give it to that user (chown), with mode 0600',
  EISDIR: 'is a folder, not a keytab',
}

interface Logger {
  warn(fields: object, message: string): void
}

/** Opens the keytab for a worker. Gives the mechanisms of one login; `onUser` is told who wants in. */
export function kerberosOf(
  { keytab, realms = [] }: NodeKerberos,
  { stateDir, accounts, log }: { readonly stateDir: string; readonly accounts: Accounts; readonly log: Logger },
): (onUser?: (user: string) => void) => readonly MechanismEntry[] {
  const acceptor = openKerberosAcceptor({ keytab, replayCache: replayCacheOf(stateDir) })
  const onRefused = ({ message, ...facts }: KerberosRefusal) => log.warn(facts, `Kerberos login refused: ${message}`)
  return onUser =>
    kerberosMechanisms({
      acceptor,
      realms,
      onRefused,
      lookup(name) {
        onUser?.(name)
        return accounts.token(name)?.name
      },
    })
}
