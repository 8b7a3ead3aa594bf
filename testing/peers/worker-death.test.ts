/** A worker that dies takes no persistent open along: the client keeps its connection, its files, its locks and its leases. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SmbClient } from '@holdfast/smb/client'
import type { Interruption } from '@holdfast/smb/client'
import { temporaryFolder } from './folder.ts'
import { alice, bob, startServer } from './server.ts'

const deaths = 6
const protections = [
  { name: 'signed', encrypt: false },
  { name: 'sealed', encrypt: true },
]

describe('the death of a worker', { timeout: 120_000 }, () => {
  for (const { name, encrypt } of protections) {
    test(`${name}: persistent opens go on where they were, on the same connection`, async () => {
      await using folder = temporaryFolder('worker-death')
      mkdirSync(folder.at('docs'))
      await using server = await startServer({
        shares: { docs: `${folder.at('docs')},continuous-availability` },
        workers: 2,
        env: { HOLDFAST_CHAOS: '1' },
      })
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
      mkdirSync(folder.at('docs'))
      await using server = await startServer({
        shares: { docs: `${folder.at('docs')},continuous-availability` },
        workers: 2,
        env: { HOLDFAST_CHAOS: '1' },
      })
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
})
