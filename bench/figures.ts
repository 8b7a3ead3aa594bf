/** What is measured, and how: each figure is measured on one server at a time and says more is better. */
import { randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { mustRun } from '../testing/peers/command.ts'
import type { TemporaryFolder } from '../testing/peers/folder.ts'
import { findProgram } from '../testing/peers/packages.ts'
import type { Account, Endpoint } from '../testing/peers/server.ts'
import { clientSettings } from '../testing/peers/smbclient.ts'
import type { Measurement, Side } from './compare.ts'

/** A server under measurement. */
export interface Contender {
  readonly side: Side
  readonly endpoint: Endpoint
  readonly share: string
  /** The share's folder on this machine. */
  readonly folder: string
  readonly account: Account
}

/** Sizes of what is moved. */
export interface Sizes {
  readonly mebibytes: number
  readonly files: number
  readonly reads: number
  readonly entries: number
}

/** One line of the table. */
export type Figure = Measurement<Contender>

type Protection = 'sign' | 'encrypt'
const mebibyte = 1024 * 1024
const dataBytes = 64 * mebibyte

function writeRandom(path: string, mebibytes: number): void {
  const file = openSync(path, 'w', 0o666)
  for (let index = 0; index < mebibytes; index++) writeSync(file, randomBytes(mebibyte))
  closeSync(file)
}

/** Compiles the helper for small operations; undefined with the reason where compiler or library are missing. */
export async function buildSmallOperations(folder: TemporaryFolder): Promise<{ readonly program: string } | { readonly missing: string }> {
  for (const tool of ['gcc', 'pkg-config']) if (findProgram(tool) === undefined) return { missing: `${tool} (Debian: apt-get install ${tool})` }
  const program = folder.at('small-operations')
  const flags = await mustRun('pkg-config', ['--cflags', '--libs', 'smbclient']).catch(() => undefined)
  if (flags === undefined) return { missing: 'libsmbclient (Debian: apt-get install libsmbclient-dev)' }
  const source = new URL('./small-operations.c', import.meta.url).pathname
  await mustRun('gcc', ['-O2', '-Wall', '-Wextra', '-o', program, source, ...flags.trim().split(/\s+/), '-lpthread'])
  return { program }
}

/** Puts what the figures need into a share: `big`, `data` and the folder `many`. */
export async function prepare(contender: Contender, sizes: Sizes): Promise<void> {
  writeFileSync(`${contender.folder}/data`, randomBytes(dataBytes), { mode: 0o666 })
  writeRandom(`${contender.folder}/big`, sizes.mebibytes)
  mkdirSync(`${contender.folder}/many`)
  for (let index = 0; index < sizes.entries; index++) writeFileSync(`${contender.folder}/many/entry-${index}.txt`, '')
  // smbd acts as the user who logged in.
  await mustRun('chmod', ['-R', 'a+rwX', contender.folder])
}

/** All figures, in the order of the table. `clientCpus`: as for `taskset -c`. */
export function figures(options: {
  readonly sizes: Sizes
  readonly folder: TemporaryFolder
  readonly smallOperations: string | undefined
  readonly clientCpus: string | undefined
}): Figure[] {
  const { sizes, folder, smallOperations, clientCpus } = options
  const source = folder.at('source')
  writeRandom(source, sizes.mebibytes)
  const confOf = (protection: Protection): string => {
    const path = folder.at(`${protection}.conf`)
    writeFileSync(path, ['[global]', ...clientSettings(protection, 'SMB3_11'), ''].join('\n'))
    return path
  }
  const run = async (program: string, args: readonly string[], stdin = ''): Promise<string> => {
    const words = clientCpus === undefined ? [program, ...args] : ['taskset', '-c', clientCpus, program, ...args]
    const [first = program, ...rest] = words
    return mustRun(first, rest, { stdin, timeoutMs: 600_000 })
  }

  /** Seconds that smbclient takes from start to end. */
  const smbclientSeconds = async (
    contender: Contender,
    protection: Protection,
    command: string,
    check?: (output: string) => void,
  ): Promise<number> => {
    const { endpoint, share, account } = contender
    const args = ['-s', confOf(protection), '-p', String(endpoint.port), '-U', `${account.user}%${account.password}`]
    const begin = performance.now()
    const output = await run('smbclient', [...args, `//${endpoint.host}/${share}`, '-c', command])
    const seconds = (performance.now() - begin) / 1000
    check?.(output)
    return seconds
  }
  const smallRate = async (
    contender: Contender,
    protection: Protection,
    kind: 'files' | 'reads',
    connections: number,
    count: number,
  ): Promise<number> => {
    const { endpoint, share, account } = contender
    const args = [kind, endpoint.host, String(endpoint.port), share, confOf(protection), String(connections), String(count)]
    const output = await run(smallOperations ?? '', args, `${account.user}\n${account.password}\n`)
    return (JSON.parse(output) as { perSecond: number }).perSecond
  }
  const checkListing = (output: string): void => {
    const found = output.match(/entry-\d+/g)?.length ?? 0
    if (found !== sizes.entries) throw new Error(`a listing of ${sizes.entries} entries showed ${found}`)
  }

  const protections: readonly Protection[] = ['sign', 'encrypt']
  const bySmbclient = protections.flatMap((protection): Figure[] => [
    {
      name: `put.${protection}`,
      unit: 'MiB/s',
      measure: async one => sizes.mebibytes / (await smbclientSeconds(one, protection, `put ${source} big`)),
    },
    {
      name: `get.${protection}`,
      unit: 'MiB/s',
      measure: async one => sizes.mebibytes / (await smbclientSeconds(one, protection, 'get big /dev/null')),
    },
    {
      name: `list.${protection}`,
      unit: 'entries/s',
      measure: async one => sizes.entries / (await smbclientSeconds(one, protection, 'ls many\\*', checkListing)),
    },
  ])
  const byLibrary = protections.flatMap((protection): Figure[] => [
    { name: `reads-1.${protection}`, unit: 'reads/s', measure: async one => smallRate(one, protection, 'reads', 1, sizes.reads) },
    { name: `reads-8.${protection}`, unit: 'reads/s', measure: async one => smallRate(one, protection, 'reads', 8, sizes.reads / 4) },
    { name: `files-1.${protection}`, unit: 'files/s', measure: async one => smallRate(one, protection, 'files', 1, sizes.files) },
  ])
  return [...bySmbclient, ...(smallOperations === undefined ? [] : byLibrary)]
}
