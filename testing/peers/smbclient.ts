/** Samba's smbclient as a client of whatever server is under test. */
import { runCommand } from './command.ts'
import type { CommandResult } from './command.ts'
import type { Account, Endpoint } from './server.ts'

/** Dialects in smbclient's words, oldest first (MS-SMB2 2.2.3). */
export const dialects = ['SMB2_02', 'SMB2_10', 'SMB3_00', 'SMB3_02', 'SMB3_11'] as const
/** A dialect in smbclient's words. */
export type Dialect = (typeof dialects)[number]

/** One call of smbclient. */
export interface SmbclientOptions {
  readonly endpoint: Endpoint
  readonly share: string
  /** undefined: anonymous (an empty user without password). */
  readonly account: Account | undefined
  /** As typed at smbclient's prompt. They must not hold a semicolon. `!command` runs a command of this machine in between. */
  readonly commands: readonly string[]
  /** Default: sign. */
  readonly protection?: 'plain' | 'sign' | 'encrypt'
  /** Exactly this dialect; default: what both speak best. */
  readonly dialect?: Dialect
  readonly timeoutMs?: number
  readonly cwd?: string
}

/** What smbclient said. */
export interface SmbclientResult extends CommandResult {
  /** The first NT status in its output, `NT_STATUS_ACCESS_DENIED` for instance; undefined when there is none. */
  readonly ntStatus: string | undefined
}

/** The configuration that makes a client of Samba demand `protection` and `dialect`, as lines of smb.conf. */
export function clientSettings(protection: 'plain' | 'sign' | 'encrypt', dialect?: Dialect): string[] {
  return [
    `client protection = ${protection}`,
    `client signing = ${protection === 'plain' ? 'if_required' : 'required'}`,
    ...(protection === 'encrypt' ? ['client smb encrypt = required'] : []),
    `client min protocol = ${dialect ?? 'SMB2_02'}`,
    `client max protocol = ${dialect ?? 'SMB3_11'}`,
  ]
}

/** What all calls of smbclient begin with. */
export function commonArguments(options: Omit<SmbclientOptions, 'share' | 'commands'>): string[] {
  const { account, endpoint } = options
  return [
    '--configfile=/dev/null',
    ...clientSettings(options.protection ?? 'sign', options.dialect).map(line => `--option=${line.replace(' = ', '=')}`),
    `--port=${endpoint.port}`,
    ...(account === undefined ? ['-N', '-U', '%'] : ['-U', `${account.user}%${account.password}`]),
  ]
}

async function run(args: readonly string[], options: Partial<SmbclientOptions>, stdin?: string): Promise<SmbclientResult> {
  const { timeoutMs = 60_000, cwd } = options
  const result = await runCommand('smbclient', args, { timeoutMs, ...(cwd === undefined ? {} : { cwd }), ...(stdin === undefined ? {} : { stdin }) })
  return { ...result, ntStatus: /NT_STATUS_[A-Z0-9_]+/.exec(result.stdout + result.stderr)?.[0] }
}

/** Runs commands on a share. Never rejects for what the server answers: look at `status` and `ntStatus`. */
export async function smbclient(options: SmbclientOptions): Promise<SmbclientResult> {
  const { endpoint, share, commands } = options
  const args = [...commonArguments(options), `//${endpoint.host}/${share}`]
  // Only what comes from stdin may start with an exclamation mark.
  const isScript = commands.some(command => command.startsWith('!'))
  return isScript ? run(args, options, `${commands.join('\n')}\n`) : run([...args, '-c', commands.join('; ')], options)
}

/** `smbclient -L`: the shares that the server lists (SRVSVC over IPC$), in the machine-readable form `Disk|name|comment`. */
export async function smbclientList(options: Omit<SmbclientOptions, 'share' | 'commands'>): Promise<SmbclientResult> {
  return run([...commonArguments(options), '--grepable', '-L', `//${options.endpoint.host}`], options)
}
