/** What a share is like: for a comparison of two runs. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { SmbClient, SmbError } from '@holdfast/smb/client'
import type { SmbShare, SmbStat } from '@holdfast/smb/client'
import { alice } from '../peers/server.ts'
import type { Endpoint } from '../peers/server.ts'
import { shareName } from './phoenix.ts'

/** A line for each file and folder, and for whatever should not be there. */
export type ShareState = readonly string[]

/** The first years of this program are later. */
const longAgo = Date.UTC(2024, 0)
const wholeFile = { offset: 0, lengthBytes: Number.MAX_SAFE_INTEGER }

const timeOf = (time: Date): string => (time.getTime() < longAgo ? time.toISOString() : 'now')

/** Reads a file, with nobody else having it open, and no lock left on it. */
async function contentOf(share: SmbShare, path: string): Promise<string> {
  try {
    await using file = await share.open(path, { flags: 'r', shareAccess: 0 })
    await file.lock(wholeFile)
    const target = Buffer.alloc(file.sizeBytes)
    await file.read(target, 0)
    await file.close()
    return target.toString('latin1')
  } catch (error) {
    if (error instanceof SmbError) return `cannot be read: ${error.message}`
    throw error
  }
}

const lineOf = (path: string, { attributes, sizeBytes, createdAt, writtenAt }: SmbStat, content: string): string =>
  `${path}: attributes ${attributes}, ${sizeBytes} bytes, made ${timeOf(createdAt)}, written ${timeOf(writtenAt)}: ${content}`

async function* linesOf(share: SmbShare, folder: string, below: string): AsyncGenerator<string> {
  for await (const { name, kind } of share.list(`${folder}${below}`)) {
    const path = `${below}/${name}`
    const stat = await share.stat(`${folder}${path}`)
    if (kind === 'folder') {
      yield `${path}/: attributes ${stat.attributes}`
      yield* linesOf(share, folder, path)
    } else {
      yield lineOf(path, stat, await contentOf(share, `${folder}${path}`))
    }
  }
}

/** The state of a folder as a new client sees it, and as the disk has it. */
export async function stateOf(server: Endpoint, folder: string, onDisk: string): Promise<ShareState> {
  await using client = await SmbClient.connect({ ...server, ...alice, reconnectMs: 0 })
  await using share = await client.share(shareName)
  const seen = await Array.fromAsync(linesOf(share, folder, ''))
  const names = readdirSync(join(onDisk, folder), { recursive: true, encoding: 'utf8' }).map(name => `on disk: ${name}`)
  return [...seen.sort(), ...names.sort()]
}

/** Lines that are in one of them only. */
export function differences(expected: ShareState, found: ShareState): string[] {
  return [
    ...expected.filter(line => !found.includes(line)).map(line => `missing   ${line}`),
    ...found.filter(line => !expected.includes(line)).map(line => `too much  ${line}`),
  ]
}
