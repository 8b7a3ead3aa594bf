/** A worker that dies takes no persistent open along: the client keeps its connection, its files, its locks and its leases. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SmbClient } from '@holdfast/smb/client'
import type { Interruption, SmbError } from '@holdfast/smb/client'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { alice, bob, startServer } from './server.ts'
import type { Server } from './server.ts'

const deaths = 6
const protections = [
  { name: 'signed', encrypt: false },
  { name: 'sealed', encrypt: true },
]

/** A server with two workers, one of which dies at each SIGUSR2. */
function startMortal(folder: TemporaryFolder, shareOptions = ''): Promise<Server> {
  mkdirSync(folder.at('docs'))
  return startServer({ shares: { docs: `${folder.at('docs')}${shareOptions}` }, workers: 2, env: { HOLDFAST_CHAOS: '1' } })
}

describe('the death of a worker', { timeout: 120_000 }, () => {
  for (const { name, encrypt } of protections) {
    test(`${name}: persistent opens go on where they were, on the same connection`, async () => {
      await using folder = temporaryFolder('worker-death')
      await using server = await startMortal(folder, ',continuous-availability')
      const interruptions: Interruption[] = []
      await using client = await SmbClient.connect({ ...server.smb, ...alice, encrypt, onInterruption: event => void interruptions.push(event) })
      const share = await client.share('docs')
      await using file = await share.open('kept', { flags: 'wx+' })
      assert.equal(file.durability, 'persistent')
      await using idle = await share.open('idle', { flags: 'wx+' })
      await using other = await SmbClient.connect({ ...server.smb, ...bob })
      const lines: string[] = []
      for (let death = 0; death < deaths; death++) {
        server.signal('SIGUSR2')
        const until = performance.now() + 700
        while (performance.now() < until) {
          const line = `line ${lines.length}\n`
          await file.write(Buffer.from(line), lines.join('').length)
          lines.push(line)
          await sleep(5)
        }
      }
      assert.equal(await readFile(folder.at('docs/kept'), 'utf8'), lines.join(''))
      // One that nobody has used meanwhile is as good.
      await idle.write(Buffer.from('still here'), 0)
      assert.equal(String(await (await other.share('docs')).readFile('idle')), 'still here')
      assert.deepEqual(interruptions, [])
    })

    test(`${name}: files that must be new are made once`, async () => {
      await using folder = temporaryFolder('worker-death')
      await using server = await startMortal(folder, ',continuous-availability')
      await using client = await SmbClient.connect({ ...server.smb, ...alice, encrypt })
      const share = await client.share('docs')
      let made = 0
      for (let death = 0; death < 4 * deaths; death++) {
        server.signal('SIGUSR2')
        const until = performance.now() + 200
        while (performance.now() < until) {
          await using file = await share.open(`new ${made}`, { flags: 'wx' })
          assert.equal(file.durability, 'persistent')
          made += 1
        }
      }
      assert.equal(readdirSync(folder.at('docs')).filter(file => file.startsWith('new ')).length, made)
    })
  }

  test('calls that open by name go on where the server keeps no opens', async () => {
    await using folder = temporaryFolder('worker-death')
    await using server = await startMortal(folder)
    await using client = await SmbClient.connect({ ...server.smb, ...alice })
    const share = await client.share('docs')
    await share.mkdir('folder')
    const names = Array.from({ length: 200 }, (_, index) => `name ${index}`)
    for (const name of names) await share.writeFile(`folder/${name}`, name)
    const end = new AbortController()
    const repeat = async (call: (turn: number) => Promise<void>): Promise<void> => {
      for (let turn = 0; !end.signal.aborted; turn++) await call(turn)
    }
    const copy = async (turn: number): Promise<void> => {
      const text = `${turn} `.repeat(100_000)
      await share.writeFile('text', text)
      assert.equal(String(await share.readFile('text')), text)
    }
    const list = async (): Promise<void> => {
      const listed: string[] = []
      for await (const { name } of share.list('folder', { bufferBytes: 1024 })) listed.push(name)
      assert.deepEqual(listed.toSorted(), names.toSorted())
    }
    // Nobody can tell who has made a folder when a worker died over it; if it says so it is there, and one that is not there is made.
    const make = async (turn: number): Promise<void> => {
      try {
        await share.mkdir(`made ${turn}`)
      } catch (error) {
        assert.equal((error as SmbError).code, 'OUTCOME_UNKNOWN')
      }
      assert.equal((await share.stat(`made ${turn}`)).kind, 'folder')
    }
    const kill = async (): Promise<void> => {
      for (let death = 0; death < 4 * deaths; death++) {
        server.signal('SIGUSR2')
        await sleep(200)
      }
      end.abort()
    }
    try {
      await Promise.all([kill(), repeat(copy), repeat(make), repeat(list), repeat(list), repeat(list)])
    } finally {
      end.abort()
    }
  })
})
