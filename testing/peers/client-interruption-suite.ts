/** What the SMB client hides from its callers when a connection is lost: written once, run against each server. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SmbClient } from '@holdfast/smb/client'
import type { Interruption, SmbClientOptions, SmbShare } from '@holdfast/smb/client'
import { startCutter } from './client-cutter.ts'
import type { Cutter, Side } from './client-cutter.ts'
import { sequences, taken } from './client-interruption-files.ts'
import { runCommand } from './command.ts'
import { randomContent, temporaryFolder } from './folder.ts'
import { productMain } from './server.ts'
import { code, mebibyte, sha256 } from './smb-client-target.ts'
import type { Target } from './smb-client-target.ts'

const sides: readonly Side[] = ['request', 'response']
const copyBytes = 256 * mebibyte
const copyCuts = 10

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: mebibyte })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** A server whose files are at hand. */
export interface LocalTarget extends Target {
  /** Where the share is on this machine. */
  readonly folder: string
}

/** Everything, against a target that is started for it. */
export function interruptionSuite(name: string, start: () => Promise<LocalTarget>, options: { readonly skip: string | false }): void {
  describe(name, { skip: options.skip, timeout: 300_000 }, () => {
    let target: LocalTarget
    let cutter: Cutter
    /** Not through the relay. */
    let direct: SmbClient
    let directShare: SmbShare
    let isDurable = false
    let events: Interruption[] = []
    let count = 0

    const connect = async (more: Partial<SmbClientOptions> = {}): Promise<SmbClient> => {
      const { user, password } = target
      // Of this client alone.
      const own: Interruption[] = []
      events = own
      cutter.refuse(false)
      return SmbClient.connect({ ...cutter.endpoint, user, password, timeoutMs: 20_000, onInterruption: event => void own.push(event), ...more })
    }
    const kinds = (): string[] => events.map(({ kind }) => kind)
    const needsDurable = (context: TestContext): boolean => {
      if (!isDurable) context.skip('the server grants no durable handles')
      return isDurable
    }

    before(async () => {
      target = await start()
      cutter = await startCutter(target)
      direct = await SmbClient.connect({ host: target.host, port: target.port, user: target.user, password: target.password })
      directShare = await direct.share(target.share)
      await directShare.writeFile(taken, '')
      await using file = await directShare.open('probe', { flags: 'w' })
      isDurable = file.durability !== 'none'
    })
    after(async () => {
      await direct?.close()
      await cutter?.[Symbol.asyncDispose]()
      await target?.[Symbol.asyncDispose]()
    })

    const protections: Readonly<Record<string, Partial<SmbClientOptions>>> = {
      'signed, 3.1.1': {},
      'encrypted, 3.1.1': { encrypt: true },
      'signed, 3.0': { dialects: ['3.0'] },
    }
    for (const [protection, more] of Object.entries(protections)) {
      for (const [sequence, run] of Object.entries(sequences)) {
        test(`${sequence}: cut at every message, all is done exactly once (${protection})`, async context => {
          if (!needsDurable(context)) return
          /** Runs it in a session of its own; how many messages there were on each side. */
          const once = async (side?: Side, at?: number): Promise<Readonly<Record<Side, number>>> => {
            const folder = `once-${++count}`
            await directShare.mkdir(folder)
            await using client = await connect({ ...more, reconnectMs: 10_000 })
            await using share = await client.share(target.share)
            cutter.arm(side, at)
            await run(share, folder).catch((cause: unknown) => {
              throw new Error(`cut at ${side} ${at} ${kinds().join()}: ${String(cause)}`, { cause })
            })
            const seen = { ...cutter.seen }
            cutter.arm()
            await directShare.removeFolder(folder)
            return seen
          }
          const seen = await once()
          for (const side of sides) for (let at = 1; at <= seen[side]; at++) await once(side, at)
        })
      }
    }

    test(`a copy of ${copyBytes / mebibyte} MiB, up and down, with ${copyCuts} cuts each, is the same`, async context => {
      if (!needsDurable(context)) return
      await using folder = temporaryFolder('client-copy', { needBytes: 4 * copyBytes })
      const content = randomContent(copyBytes)
      const expected = sha256(content)
      writeFileSync(folder.at('from'), content)
      await using client = await connect()
      await using share = await client.share(target.share)
      const cutting = async (transfer: Promise<void>, moved: () => number): Promise<void> => {
        const from = moved()
        let isOver = false
        const done = transfer.finally(() => (isOver = true))
        for (let i = 1; i <= copyCuts && !isOver;) {
          if (moved() - from > (i * copyBytes) / (copyCuts + 1)) {
            cutter.cut()
            i++
          }
          await sleep(1)
        }
        await done
      }
      await cutting(share.upload(folder.at('from'), 'copy.bin'), () => cutter.bytesToServer)
      assert.equal(kinds().filter(kind => kind === 'restored').length, copyCuts)
      assert.equal(sha256(await directShare.readFile('copy.bin')), expected)
      events.length = 0
      await cutting(share.download('copy.bin', folder.at('to')), () => cutter.bytesToClient)
      assert.equal(kinds().filter(kind => kind === 'restored').length, copyCuts)
      assert.equal(await sha256OfFile(folder.at('to')), expected)
      await share.remove('copy.bin')
    })

    test('holdfast cp goes on, up and down', async () => {
      await using folder = temporaryFolder('client-cp', { needBytes: copyBytes })
      const content = randomContent(64 * mebibyte)
      writeFileSync(folder.at('from'), content)
      const { host, port } = cutter.endpoint
      const url = `smb://${target.user}@${host}:${port}/${target.share}/cp.bin`
      const copy = async (args: readonly string[], moved: () => number): Promise<void> => {
        const until = moved() + content.length / 2
        const timer = setInterval(() => {
          if (moved() < until) return
          clearInterval(timer)
          cutter.cut()
        }, 1)
        const env = { HOLDFAST_PASSWORD: target.password }
        const result = await runCommand(process.execPath, [productMain, 'cp', ...args], { env, cwd: folder.path })
        clearInterval(timer)
        assert.equal(result.status, 0, result.stderr)
      }
      const before = cutter.cuts
      await copy(['from', url], () => cutter.bytesToServer)
      await copy([url, 'to'], () => cutter.bytesToClient)
      assert.equal(cutter.cuts - before, 2)
      assert.equal(await sha256OfFile(folder.at('to')), sha256(content))
      await directShare.remove('cp.bin')
    })

    test('what is only read is read on, also where a server keeps no handles', async () => {
      const content = randomContent(20 * mebibyte)
      await directShare.writeFile('read.bin', content)
      for (const dialects of [['3.1.1'], ['2.1']] as const) {
        await using client = await connect({ dialects })
        await using share = await client.share(target.share)
        await using file = await share.open('read.bin')
        const hash = createHash('sha256')
        let chunks = 0
        for await (const chunk of file.chunks()) {
          hash.update(chunk)
          if (++chunks % 5 === 0) cutter.cut()
        }
        assert.equal(hash.digest('hex'), sha256(content))
        assert.ok(kinds().includes('restored'))
      }
      await directShare.remove('read.bin')
    })

    test('a handle that the server lost is HANDLE_LOST, and the rest goes on', async () => {
      await directShare.writeFile('lost', 'before')
      await directShare.writeFile('kept', 'kept')
      await using client = await connect()
      await using share = await client.share(target.share)
      await using file = await share.open('lost', { flags: 'r+' })
      await using reader = await share.open('lost')
      await using kept = await share.open('kept')
      cutter.refuse(true)
      cutter.cut()
      await sleep(100)
      await directShare.remove('lost')
      await directShare.writeFile('lost', 'afterwards')
      cutter.refuse(false)
      await assert.rejects(file.write(Buffer.from('x'), 0), code('HANDLE_LOST'))
      await assert.rejects(file.truncate(), code('HANDLE_LOST'))
      await assert.rejects(reader.read(Buffer.alloc(10), 0), code('HANDLE_LOST'))
      await file.close()
      const head = Buffer.alloc(4)
      assert.deepEqual([await kept.read(head, 0), String(head)], [4, 'kept'])
      assert.equal(String(await share.readFile('lost')), 'afterwards')
      assert.equal(client.state, 'connected')
    })

    test("a handle that the server does not give back is in nobody's way", async context => {
      if (!needsDurable(context)) return
      await using client = await connect()
      await using share = await client.share(target.share)
      await using file = await share.open('touched', { flags: 'w+' })
      await file.write(Buffer.from('before'), 0)
      cutter.refuse(true)
      cutter.cut()
      await sleep(100)
      // As a WRITE that is carried out late: smbd keeps no handle of a file that is not as it was.
      utimesSync(join(target.folder, 'touched'), 1, 1)
      cutter.refuse(false)
      await file.write(Buffer.from('again'), 0).catch((error: unknown) => code('HANDLE_LOST')(error))
      assert.equal(client.state, 'connected')
      // smbd before 4.19.9 refuses this while a connection lasts that asked in vain for a handle.
      await directShare.writeFile('touched', 'theirs')
      await share.writeFile('touched', 'ours')
      assert.equal(String(await directShare.readFile('touched')), 'ours')
      await file.close()
      await share.remove('touched')
    })

    test('a listing goes on where it was', async () => {
      await directShare.mkdir('many')
      const names = Array.from({ length: 300 }, (_, i) => `a file with a number ${i}`)
      for (const one of names) await directShare.writeFile(`many/${one}`, '')
      await using client = await connect()
      await using share = await client.share(target.share)
      const listed: string[] = []
      for await (const entry of share.list('many', { bufferBytes: 4096 })) {
        listed.push(entry.name)
        if (listed.length % 100 === 0) cutter.cut()
      }
      assert.deepEqual(listed.sort(), names.sort())
      assert.ok(kinds().includes('restored'))
      await directShare.removeFolder('many', { recursive: true })
    })

    test('a watch says that something may have been missed, and goes on', async () => {
      await directShare.mkdir('watched')
      await using client = await connect()
      await using share = await client.share(target.share)
      await using changes = share.watch('watched')
      await changes.ready
      const first = changes.next()
      cutter.cut()
      assert.equal((await first).value?.kind, 'overflow')
      const second = changes.next()
      // A server may take a while until it watches.
      let isTold = false
      const told = second.finally(() => (isTold = true))
      for (let i = 0; !isTold; i++) {
        await directShare.writeFile(`watched/new${i}`, '')
        await sleep(50)
      }
      assert.match((await told).value?.path ?? '', /^new\d+$/)
      await changes.return()
      await directShare.removeFolder('watched', { recursive: true })
    })

    test('a server that is silent is asked, and left when it does not answer', async () => {
      await using client = await connect({ timeoutMs: 300 })
      await using share = await client.share(target.share)
      cutter.mute()
      const stat = share.stat(taken)
      setTimeout(() => {
        assert.equal(client.state, 'suspect')
      }, 500)
      // A new connection goes through: only what was there is mute.
      while (events.length === 0) await sleep(10)
      cutter.cut()
      assert.equal((await stat).sizeBytes, 0)
      assert.deepEqual(kinds(), ['lost', 'restored'])
    })

    test('patience ends; signals and close end it sooner', async () => {
      await using client = await connect({ reconnectMs: 600 })
      await using share = await client.share(target.share)
      cutter.refuse(true)
      cutter.cut()
      await assert.rejects(share.stat(taken, { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' })
      assert.equal(client.state, 'reconnecting')
      await assert.rejects(share.stat(taken), code('CONNECTION_LOST'))
      await assert.rejects(share.stat(taken), code('CONNECTION_LOST'))
      assert.deepEqual([client.state, kinds()], ['given-up', ['lost', 'given-up']])
      const { attempt, pauseMs, cause } = events[1]
      assert.ok(attempt >= 4 && pauseMs >= 600 && pauseMs < 2000 && cause instanceof Error)
      cutter.refuse(false)

      const second = await connect()
      await using docs = await second.share(target.share)
      cutter.refuse(true)
      cutter.cut()
      const waiting = assert.rejects(docs.stat(taken), code('CLOSED'))
      await sleep(50)
      await second.close()
      await waiting
      assert.equal(second.state, 'closed')
      cutter.refuse(false)
    })

    test('a lease that is broken is given back at once (MS-SMB2 3.2.5.19.2)', async () => {
      await using client = await connect()
      await using share = await client.share(target.share)
      await using file = await share.open('leased', { flags: 'w+' })
      const beganMs = performance.now()
      await using other = await directShare.open('leased', { flags: 'r+' })
      await other.write(Buffer.from('theirs'), 0)
      await file.write(Buffer.from('ours  '), 0)
      // A server waits 35 s for who does not answer.
      assert.ok(performance.now() - beganMs < 5000)
    })
  })
}
