/** A connection that is lost, at error recovery level 0: the session is made anew, and nobody notices (RFC 7143 6.3.5, 7.1.5). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DiskOptions, Interruption, IscsiDisk } from '@holdfast/iscsi/initiator'
import { Opcode } from '@holdfast/iscsi/pdu'
import { randomContent } from './folder.ts'
import { code, kibibyte, mebibyte } from './iscsi-initiator-target.ts'
import type { Context } from './iscsi-initiator-target.ts'
import { meddleWith, startIscsiProxy } from './iscsi-proxy.ts'
import type { Fate, IscsiProxy, PassingPdu } from './iscsi-proxy.ts'

/** A disk behind a relay, and what its owner was told. */
export interface Relayed extends AsyncDisposable {
  readonly proxy: IscsiProxy
  readonly disk: IscsiDisk
  readonly events: Interruption[]
}

/** Connects through a relay. */
export async function connectRelayed({ target, connect }: Context, more: Partial<DiskOptions> = {}): Promise<Relayed> {
  const proxy = await startIscsiProxy(target)
  const events: Interruption[] = []
  try {
    const disk = await connect({ port: proxy.port, reconnectMs: 20_000, onInterruption: event => void events.push(event), ...more })
    return {
      proxy,
      disk,
      events,
      async [Symbol.asyncDispose]() {
        await disk.close()
        await proxy[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await proxy[Symbol.asyncDispose]()
    throw error
  }
}

/** Waits until something holds; the suite's own time limit ends it otherwise. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5)
}

/** Writes and reads back, so that every kind of PDU has passed; fails when a byte differs. */
export async function exercise(disk: IscsiDisk, at: number): Promise<void> {
  const pieces = Array.from({ length: 8 }, (_, i) => ({ offset: at + i * 512 * kibibyte, content: randomContent(400 * kibibyte) }))
  await Promise.all(pieces.map(async ({ offset, content }) => disk.write(offset, content)))
  const read = await Promise.all(pieces.map(async ({ offset, content }) => disk.read(offset, content.length)))
  for (const [i, { content }] of pieces.entries()) assert.ok(read[i].equals(content), `piece ${i}`)
}

/** See the file. */
export function interruptionTests(context: () => Context): void {
  const losses: readonly (readonly [string, (pdu: PassingPdu) => boolean, Fate])[] = [
    ['a command', ({ opcode }) => opcode === Opcode.scsiCommand, 'cut'],
    ['data that was asked for', ({ opcode }) => opcode === Opcode.dataOut, 'cut'],
    ['data that comes', ({ opcode }) => opcode === Opcode.dataIn, 'cut'],
    ['a response', ({ opcode }) => opcode === Opcode.scsiResponse, 'cut'],
  ]
  for (const [title, matches, fate] of losses) {
    test(`cut at ${title}: all is carried out as if nothing had been`, async () => {
      await using relayed = await connectRelayed(context())
      const { proxy, disk, events } = relayed
      proxy.rule = meddleWith(matches, fate)
      await exercise(disk, 32 * mebibyte)
      assert.equal(proxy.meddled, 1)
      await until(() => events.length >= 2)
      assert.deepEqual(
        events.map(({ kind, scope }) => `${kind} ${scope}`),
        ['lost session', 'restored session'],
      )
      assert.ok(events[0].cause instanceof Error)
      assert.equal(proxy.connections, 2)
    })
  }

  test('lost between calls: the next call waits', async () => {
    await using relayed = await connectRelayed(context())
    relayed.proxy.cut()
    assert.equal((await relayed.disk.read(0, 4096)).length, 4096)
    assert.equal(relayed.disk.state, 'logged-in')
  })

  test('a command that must not be carried out twice is not: OUTCOME_UNKNOWN', async () => {
    await using relayed = await connectRelayed(context())
    const { proxy, disk } = relayed
    proxy.rule = meddleWith(({ opcode }) => opcode === Opcode.scsiResponse, 'cut')
    // WRITE (10) of the first block, by one who writes it once only.
    const write = disk.execute(Buffer.from('2a000000000000000100', 'hex'), { dataOut: Buffer.alloc(512, 1), isRepeatable: false })
    await assert.rejects(write, code('OUTCOME_UNKNOWN'))
    assert.deepEqual(await disk.read(0, 512), Buffer.alloc(512, 1), 'it had been carried out, as it happens')
  })

  test('a target that is silent is asked, and left', async () => {
    await using relayed = await connectRelayed(context(), { timeoutMs: 400 })
    const { proxy, disk, events } = relayed
    proxy.rule = meddleWith(({ opcode }) => opcode === Opcode.scsiCommand, 'stall')
    assert.equal((await disk.read(0, 4096)).length, 4096)
    assert.equal(proxy.connections, 2)
    await until(() => events.length >= 2)
    assert.match(events[0].cause?.message ?? '', /has not answered/)
  })

  test('an idle connection is kept by pings', async () => {
    await using relayed = await connectRelayed(context(), { timeoutMs: 200 })
    const { proxy, events } = relayed
    let pings = 0
    proxy.rule = ({ opcode, fromInitiator }) => {
      if (opcode === Opcode.nopIn && !fromInitiator) pings++
      return 'pass'
    }
    await until(() => pings >= 3)
    assert.deepEqual(events, [])
  })

  test('aborted while it waits for the target to come back', async () => {
    await using relayed = await connectRelayed(context())
    const { proxy, disk } = relayed
    await proxy[Symbol.asyncDispose]()
    const aborting = new AbortController()
    const reading = disk.read(0, 4096, { signal: aborting.signal })
    setTimeout(() => aborting.abort(new Error('enough')), 50)
    await assert.rejects(reading, /enough/)
  })

  test('patience ends: what waits is rejected, and what comes after it', async () => {
    await using relayed = await connectRelayed(context(), { reconnectMs: 300 })
    const { proxy, disk, events } = relayed
    await proxy[Symbol.asyncDispose]()
    await assert.rejects(disk.read(0, 4096), code('CONNECTION_LOST'))
    await assert.rejects(disk.read(0, 4096), code('CONNECTION_LOST'))
    assert.equal(disk.state, 'given-up')
    await until(() => events.length >= 2)
    assert.equal(events[1].kind, 'given-up')
    assert.ok(events[1].attempt > 1)
  })

  test('without any patience a loss is told at once', async () => {
    await using relayed = await connectRelayed(context(), { reconnectMs: 0 })
    const { proxy, disk } = relayed
    proxy.rule = meddleWith(({ opcode }) => opcode === Opcode.scsiCommand, 'cut')
    await assert.rejects(disk.read(0, 4096), code('CONNECTION_LOST'))
  })

  test('a damaged header or damaged data is noticed, and all is carried out', async () => {
    for (const fate of ['corrupt', 'corrupt-header'] as const) {
      await using relayed = await connectRelayed(context(), { headerDigest: 'required', dataDigest: 'required' })
      const { proxy, disk } = relayed
      proxy.rule = meddleWith(({ opcode, dataBytes }) => opcode === Opcode.dataIn && dataBytes > 0, fate)
      await exercise(disk, 40 * mebibyte)
      assert.equal(proxy.connections, 2)
    }
  })

  test('lost again and again', async () => {
    await using relayed = await connectRelayed(context())
    const { proxy, disk } = relayed
    for (let round = 0; round < 8; round++) {
      let left = 5 + round * 3
      proxy.rule = () => (left-- === 0 ? 'cut' : 'pass')
      await exercise(disk, 48 * mebibyte)
    }
    assert.ok(proxy.connections > 4, `${proxy.connections} connections`)
  })
}
