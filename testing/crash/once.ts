/** Appends and exclusive creates under a server that dies all the time: each happens once. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SmbClient } from '@holdfast/smb/client'
import type { SmbShare } from '@holdfast/smb/client'
import { alice } from '../peers/server.ts'
import { code } from '../peers/smb-client-target.ts'
import { Phoenix, shareName } from './phoenix.ts'

/** How many of each, and who is told. */
export interface OnceOptions {
  readonly count: number
  readonly print: (line: string) => void
}

/** FILE_CREATED, FILE_OPENED (MS-SMB2 2.2.14). */
const created = 2
const opened = 1
const recordBytes = 8
const recordOf = (index: number): string => String(index).padStart(recordBytes - 1, '0') + '\n'
const nameOf = (index: number): string => `new-${String(index).padStart(4, '0')}`
/** How many files a server lives to see done, and then how many ms: enough to be in the midst of another one. */
const lifeFiles = (life: number): number => 1 + (life % 9)
const lifeMs = (life: number): number => (life * 7) % 13
const pollMs = 1
// As long as it takes where many other things run on the machine.
const reconnectMs = 120_000

async function append(share: SmbShare, index: number): Promise<void> {
  await using file = await share.open('log', { flags: 'a' })
  assert.deepEqual([file.createAction, file.sizeBytes], [index === 0 ? created : opened, index * recordBytes])
  await file.write(Buffer.from(recordOf(index)), file.sizeBytes)
  await file.close()
}

async function createOnce(share: SmbShare, index: number): Promise<void> {
  await using file = await share.open(nameOf(index), { flags: 'wx' })
  assert.equal(file.createAction, created)
  await file.write(Buffer.from(recordOf(index)), 0)
  await file.close()
  await assert.rejects(share.open(nameOf(index), { flags: 'wx' }), code('EEXIST'))
}

/** Does all of it; returns the number of complaints. */
export async function exactlyOnce({ count, print }: OnceOptions): Promise<number> {
  const begin = performance.now()
  await using phoenix = await Phoenix.start()
  await using client = await SmbClient.connect({ ...phoenix.smb, ...alice, reconnectMs })
  await using share = await client.share(shareName)
  const complaints: string[] = []
  let done = 0
  let isOver = false
  const killing = (async () => {
    for (let life = 0; !isOver; life++) {
      const until = done + lifeFiles(life)
      while (done < until && !isOver) await sleep(pollMs)
      await sleep(lifeMs(life))
      phoenix.kill()
      await phoenix.running()
    }
  })()
  for (const [name, one] of Object.entries({ append, create: createOnce })) {
    for (let index = 0; index < count; index++) {
      await one(share, index).catch((error: unknown) => complaints.push(`${name} ${index}: ${String(error)}`))
      done++
    }
  }
  isOver = true
  await killing
  const indices = Array.from({ length: count }, (_, index) => index)
  const { docs } = phoenix.folders
  const contentOf = (name: string): string | undefined => (existsSync(join(docs, name)) ? readFileSync(join(docs, name), 'utf8') : undefined)
  if (contentOf('log') !== indices.map(recordOf).join('')) complaints.push('the appended file is not what was appended')
  const wrong = indices.filter(index => contentOf(nameOf(index)) !== recordOf(index))
  complaints.push(...wrong.map(index => `${nameOf(index)} has another content`))
  const expectedNames = ['log', ...indices.map(nameOf)]
  if (readdirSync(docs).sort().join() !== expectedNames.join()) complaints.push('there are other files than were made')
  const { records } = await phoenix.order()
  complaints.push(...records.map(key => `the store has ${key}`))
  complaints.forEach(line => print(`FAILED exactly once: ${line}`))
  const duration = Math.round((performance.now() - begin) / 1000)
  print(`${count} appends and ${count} exclusive creates through ${phoenix.restarts} deaths in ${duration} s: ${complaints.length} wrong`)
  return complaints.length
}
