/** Clients that keep a server busy, for the soak and chaos runs. */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { randomContent, temporaryFolder } from './peers/folder.ts'
import { alice } from './peers/server.ts'
import type { Server } from './peers/server.ts'
import { smbclient } from './peers/smbclient.ts'

/** What the clients of a run have seen so far. */
export interface LoadCounts {
  /** Connections that lived from the first to the last command. */
  connections: number
  commands: number
  /** Connections that broke. */
  lost: number
  /** Commands that got an error status. */
  errors: number
  /** Files that came back with other bytes. */
  mismatches: number
  /** The first lines of what went wrong. */
  readonly complaints: string[]
}

/** What smbclient prints when its TCP connection is gone. */
export const connectionLost = /NT_STATUS_(CONNECTION_\w+|END_OF_FILE|IO_TIMEOUT|PIPE_BROKEN|NETWORK_NAME_DELETED)/

const roundsPerConnection = 25
const sizesBytes = [0, 1, 4096, 70_000, 1_500_000]

/** Commands of one round: a file goes there and back, and everything around it is touched. */
function round(index: number, size: number): string[] {
  const name = `file-${index}`
  return [`put source-${size} ${name}`, 'ls', `allinfo ${name}`, `rename ${name} ${name}.b`, `get ${name}.b back-${size}`, `del ${name}.b`]
}

/** Runs one client after the other until `goesOn` says no, each in a folder of its own on the share. */
export async function keepBusy(options: {
  readonly server: Server
  readonly share: string
  readonly client: number
  readonly goesOn: () => boolean
  readonly counts: LoadCounts
}): Promise<void> {
  const { server, share, client, goesOn, counts } = options
  await using local = temporaryFolder('load')
  for (const size of sizesBytes) writeFileSync(local.at(`source-${size}`), randomContent(size))
  const hashOf = (name: string): string =>
    createHash('sha256')
      .update(readFileSync(local.at(name)))
      .digest('hex')
  const complain = (line: string): void => {
    if (counts.complaints.length < 20) counts.complaints.push(line)
  }

  for (let connection = 0; goesOn(); connection++) {
    const folder = `client-${client}`
    const rounds = Array.from({ length: roundsPerConnection }, (_, index) => round(index, sizesBytes[index % sizesBytes.length] ?? 0))
    const commands = [`mkdir ${folder}`, `cd ${folder}`, ...rounds.flat(), 'cd ..', `deltree ${folder}`]
    const protection = (client + connection) % 2 === 0 ? 'sign' : 'encrypt'
    const result = await smbclient({ endpoint: server.smb, share, account: alice, commands, protection, cwd: local.path, timeoutMs: 120_000 })
    const output = result.stdout + result.stderr
    const errors = output.match(/^.*NT_STATUS_\w+.*$/gm) ?? []
    counts.connections++
    counts.commands += commands.length
    counts.errors += errors.length
    if (connectionLost.test(output) || result.timedOut) {
      counts.lost++
      complain(result.timedOut ? 'a client did not end in time' : (errors.find(line => connectionLost.test(line)) ?? ''))
    }
    if (errors.length > 0) {
      complain(errors[0] ?? '')
      continue
    }
    for (const size of sizesBytes) {
      if (hashOf(`source-${size}`) === hashOf(`back-${size}`)) continue
      counts.mismatches++
      complain(`a file of ${size} bytes came back with other content`)
    }
  }
}

/** Counts to begin with. */
export function noCounts(): LoadCounts {
  return { connections: 0, commands: 0, lost: 0, errors: 0, mismatches: 0, complaints: [] }
}
