import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionManager } from '@holdfast/engine'
import { AsyncEvent, DataOut, finalBit, NopOut, Opcode, TaskManagementFunction, TaskManagementRequest, TextFlags, TextRequest } from '../pdu/index.ts'
import type { TextPair } from '../pdu/index.ts'
import { decodeSense, describeSense, Status } from '../scsi/index.ts'
import { connectDisk } from '../initiator/index.ts'
import type { Interruption } from '../initiator/index.ts'
import { iscsiFraming } from './index.ts'
import { RawInitiator } from './test-support/raw-initiator.ts'
import type { Answer, LoginStep } from './test-support/raw-initiator.ts'
import { sharedDiskMemory, SharedDiskWord } from './test-support/shared-disk.ts'

const workerModule = new URL('./test-support/mortal-worker.ts', import.meta.url)
const target = 'iqn.2026-11.test:mortal'
const block = 512
const testUnitReady = [0]
const read10 = (lba: number, blocks: number): number[] => [0x28, 0, 0, 0, 0, lba, 0, 0, blocks]
const write10 = (lba: number, blocks: number): number[] => [0x2a, 0, 0, 0, 0, lba, 0, 0, blocks]
const compareAndWrite = (lba: number): number[] => [0x89, 0, 0, 0, 0, 0, 0, 0, 0, lba, 0, 0, 0, 1, 0, 0]

/** A target with two workers; the first one has the disk, of 4 MiB. */
async function start() {
  const memory = sharedDiskMemory(4 << 20)
  const words = new Int32Array(memory.words)
  const manager = await ConnectionManager.start({ workers: 2, workerModule, config: memory })
  const { port } = await manager.listen({ protocol: 'iscsi', framing: iscsiFraming, distributed: true, host: '127.0.0.1', port: 0 })
  const metric = (name: string, labels: Readonly<Record<string, string>> = {}): number =>
    manager
      .snapshot()
      .filter(sample => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
      .reduce((sum, { value }) => sum + value, 0)
  return {
    port,
    bytes: Buffer.from(memory.bytes),
    words,
    metric,
    orphaned: (outcome: string): number => metric('holdfast_iscsi_orphaned_commands_total', { outcome }),
    /** What is begun from now on does not end before `die`. */
    stick: (): void => void Atomics.store(words, SharedDiskWord.isStuck, 1),
    async stuck(calls: number): Promise<void> {
      while (Atomics.load(words, SharedDiskWord.stuck) < calls) await sleep(1)
    },
    kill: (worker: number): void => manager.killWorker(worker),
    /** The disk's worker is killed, and its successor finds nothing stuck. */
    async die(): Promise<void> {
      const deaths = metric('holdfast_worker_deaths_total')
      Atomics.store(words, SharedDiskWord.isStuck, 0)
      manager.killWorker(0)
      while (metric('holdfast_worker_deaths_total') === deaths) await sleep(1)
    },
    [Symbol.asyncDispose]: () => manager.close(),
  }
}

/** A session with the unit attention of its beginning taken. */
async function login(port: number, pairs: readonly TextPair[] = [], step: LoginStep = {}) {
  const raw = await RawInitiator.connect(port)
  const answer = await raw.login([['InitiatorName', 'iqn.2026-11.test:initiator'], ['TargetName', target], ...pairs], step)
  assert.equal(answer.status, 0)
  raw.digests = { header: answer.pairs.get('HeaderDigest') === 'CRC32C', data: answer.pairs.get('DataDigest') === 'CRC32C' }
  if (step.tsih === undefined) assert.match(await attention(raw), /POWER ON/)
  return { raw, tsih: Number(answer.fields['tsih']) }
}

const senseOf = ({ data }: Answer): string => describeSense(decodeSense(data.subarray(2)))

/** The unit attention that TEST UNIT READY is told. */
async function attention(raw: RawInitiator): Promise<string> {
  raw.command(testUnitReady)
  const answer = await raw.expect(Opcode.scsiResponse)
  assert.equal(answer.fields['status'], Status.checkCondition)
  return senseOf(answer)
}

test('a session goes on with the next worker: same connection, same numbers, digests as agreed; the unit says that it was reset', async () => {
  await using server = await start()
  const { raw } = await login(server.port, [
    ['HeaderDigest', 'CRC32C'],
    ['DataDigest', 'CRC32C'],
  ])
  await using _ = raw
  const content = Buffer.alloc(block, 'w')
  raw.command(write10(7, 1), { isWrite: true, expectedBytes: block, data: content })
  const before = (await raw.expect(Opcode.scsiResponse)).fields
  await server.die()
  raw.command(testUnitReady)
  const told = await raw.expect(Opcode.scsiResponse)
  assert.match(senseOf(told), /UNIT ATTENTION.*DEVICE INTERNAL RESET/)
  assert.deepEqual([told.fields['statSn'], told.fields['expCmdSn']], [Number(before['statSn']) + 1, raw.cmdSn])
  raw.command(read10(7, 1), { expectedBytes: block })
  const read = await raw.expect(Opcode.dataIn)
  assert.deepEqual(read.data, content)
  assert.equal(read.fields['statSn'], Number(before['statSn']) + 2)
  assert.equal(server.metric('holdfast_iscsi_connections_resumed_total'), 1)
})

test('it does so again and again, also when nothing happens in between', async () => {
  await using server = await start()
  const { raw } = await login(server.port)
  await using _ = raw
  for (let death = 0; death < 5; death++) await server.die()
  assert.match(await attention(raw), /DEVICE INTERNAL RESET/)
  raw.command(testUnitReady)
  assert.equal((await raw.expect(Opcode.scsiResponse)).fields['status'], Status.good)
})

test('commands that were under way are carried out (again), told to come again, or told that nobody knows (SPC-4 4.5.6)', async () => {
  await using server = await start()
  const { raw } = await login(server.port, [['InitialR2T', 'Yes']])
  await using _ = raw
  server.stick()
  const content = Buffer.alloc(block, 'r')
  const attended = raw.command(read10(0, 1), { expectedBytes: block })
  const writing = raw.command(write10(3, 1), { isWrite: true, expectedBytes: block, data: content })
  const reading = raw.command(read10(4, 1), { expectedBytes: block })
  const comparing = raw.command(compareAndWrite(5), { isWrite: true, expectedBytes: 2 * block, data: Buffer.alloc(2 * block) })
  await server.stuck(4)
  const soliciting = raw.command(write10(6, 2), { isWrite: true, expectedBytes: 2 * block })
  await raw.expect(Opcode.readyToTransfer)
  await server.die()
  const answers = new Map<unknown, Answer>()
  for (let count = 0; count < 5; count++) {
    const answer = (await raw.receive())!
    answers.set(answer.fields['initiatorTaskTag'], answer)
  }
  const statuses = [attended, writing, reading, comparing, soliciting].map(tag => answers.get(tag)?.fields['status'])
  assert.deepEqual(statuses, [Status.checkCondition, Status.good, Status.good, Status.checkCondition, Status.busy])
  assert.match(senseOf(answers.get(attended)!), /DEVICE INTERNAL RESET/)
  assert.match(senseOf(answers.get(comparing)!), /ABORTED COMMAND.*INTERNAL TARGET FAILURE/)
  assert.deepEqual(server.bytes.subarray(3 * block, 4 * block), content)
  assert.equal(Atomics.load(server.words, SharedDiskWord.compared), 1)
  // Data for a write that was sent away is nobody's.
  raw.send(
    DataOut,
    { flags: finalBit, initiatorTaskTag: soliciting, targetTransferTag: 1, expStatSn: 0, dataSn: 0, bufferOffset: 0 },
    Buffer.alloc(2 * block),
  )
  raw.command(testUnitReady)
  assert.equal((await raw.expect(Opcode.scsiResponse)).fields['status'], Status.good)
  assert.deepEqual([server.orphaned('repeated'), server.orphaned('aborted'), server.orphaned('busy')], [3, 1, 1])
})

test('a command that waited for one before it goes on waiting, and what is asked of tasks is answered', async () => {
  await using server = await start()
  const { raw } = await login(server.port)
  await using _ = raw
  server.stick()
  raw.command(read10(0, 1), { expectedBytes: block })
  const aborted = raw.command(read10(1, 1), { expectedBytes: block })
  await server.stuck(2)
  const next = raw.cmdSn
  const ahead = raw.command(testUnitReady, { cmdSn: next + 2 })
  const header = { initiatorTaskTag: 900, referencedTaskTag: aborted, refCmdSn: next - 1, cmdSn: next, expStatSn: 0 }
  raw.send(TaskManagementRequest, { flags: finalBit | TaskManagementFunction.abortTask, ...header })
  raw.send(NopOut, { opcode: Opcode.nopOut | 0x40, initiatorTaskTag: 901, cmdSn: next + 1, expStatSn: 0 })
  await raw.expect(Opcode.nopIn)
  await server.die()
  const opcodes = [(await raw.receive())?.opcode, (await raw.receive())?.opcode]
  // The first read is told of the reset; the second one is aborted, and has no answer.
  assert.deepEqual(new Set(opcodes), new Set([Opcode.scsiResponse, Opcode.taskManagementResponse]))
  raw.cmdSn = next + 1
  const missing = raw.command(testUnitReady)
  for (const tag of [missing, ahead]) assert.equal((await raw.expect(Opcode.scsiResponse)).fields['initiatorTaskTag'], tag)
})

test('a session of several connections goes on with all of them', async () => {
  await using server = await start()
  const { raw: first, tsih } = await login(server.port, [['MaxConnections', '2']])
  await using _first = first
  const { raw: second } = await login(server.port, [], { tsih, cid: 2 })
  await using _second = second
  second.cmdSn = first.cmdSn
  second.command(testUnitReady)
  await second.expect(Opcode.scsiResponse)
  await server.die()
  first.cmdSn = second.cmdSn
  assert.match(await attention(first), /DEVICE INTERNAL RESET/)
  second.cmdSn = first.cmdSn
  second.command(testUnitReady)
  assert.equal((await second.expect(Opcode.scsiResponse)).fields['status'], Status.good)
})

test('a discovery session goes on; a text exchange that was under way does not (11.10.4)', async () => {
  await using server = await start()
  await using raw = await RawInitiator.connect(server.port)
  await raw.login([
    ['InitiatorName', 'iqn.2026-11.test:initiator'],
    ['SessionType', 'Discovery'],
  ])
  for (const worker of [0, 1]) server.kill(worker)
  while (server.metric('holdfast_iscsi_connections_resumed_total') === 0) await sleep(5)
  const ask = (targetTransferTag: number): void =>
    raw.send(
      TextRequest,
      { flags: TextFlags.final, initiatorTaskTag: raw.nextTag(), targetTransferTag, cmdSn: raw.cmdSn++, expStatSn: 0 },
      Buffer.from('SendTargets=All\0'),
    )
  ask(0xffff_ffff)
  assert.match((await raw.expect(Opcode.textResponse)).data.toString(), new RegExp(`TargetName=${target}`))
  ask(1)
  await raw.expect(Opcode.reject)
})

test('a session that was promised that what is lost is sent again is told that it is dropped (11.9.1)', async () => {
  await using server = await start()
  const { raw } = await login(server.port, [['ErrorRecoveryLevel', '1']])
  await using _ = raw
  await server.die()
  assert.equal((await raw.expect(Opcode.asyncMessage)).fields['event'], AsyncEvent.sessionDrop)
  assert.equal(await raw.receive(), undefined)
})

test('a login that has been answered in part ends with its worker', async () => {
  await using server = await start()
  await using raw = await RawInitiator.connect(server.port)
  const names: TextPair[] = [
    ['InitiatorName', 'iqn.2026-11.test:initiator'],
    ['TargetName', target],
  ]
  await raw.login(names, { isTransit: false })
  await server.die()
  assert.equal(await raw.receive(), undefined)
})

test('workers killed again and again under load: no connection is lost, nothing differs, nothing is done twice that must not be', async () => {
  await using server = await start()
  let deaths = 0
  let hasFailed = false
  const goesOn = (): boolean => deaths < 6 && !hasFailed
  const resumed = (): number => server.metric('holdfast_iscsi_connections_resumed_total')
  const interruptions: Interruption[] = []
  const options = { host: '127.0.0.1', port: server.port, target, onInterruption: (event: Interruption) => void interruptions.push(event) }
  let connected = 0
  const done = { transfers: 0, compared: 0, unknown: 0 }
  const areaBytes = 512 << 10
  const piece = 8 << 10

  /** Writes and reads an area of its own, with several commands at a time; some need R2Ts. */
  const transfer = async (client: number): Promise<void> => {
    await using disk = await connectDisk({ ...options, initiatorName: `iqn.2026-11.test:transfer${client}`, unsolicitedData: client % 2 === 0 })
    connected++
    const area = client * areaBytes
    for (let round = 1; goesOn(); round++) {
      const content = Buffer.from(Uint8Array.from({ length: areaBytes / piece }, (_, index) => (round * 31 + index * 7 + client) & 0xff))
      const pieces = Array.from(content, (byte, index) => ({ at: area + index * piece, bytes: Buffer.alloc(piece, byte) }))
      await Promise.all(pieces.map(({ at, bytes }) => disk.write(at, bytes)))
      const read = await Promise.all(pieces.map(({ at }) => disk.read(at, piece)))
      for (const [index, { bytes }] of pieces.entries()) assert.ok(read[index].equals(bytes), `client ${client}, round ${round}, piece ${index}`)
      done.transfers += 2 * pieces.length
    }
  }

  /** Counts in a block of its own with COMPARE AND WRITE: what it was not told, it looks up. */
  const count = async (): Promise<void> => {
    await using disk = await connectDisk({ ...options, initiatorName: 'iqn.2026-11.test:counting' })
    connected++
    const at = 6 * areaBytes
    const blockOf = (value: number): Buffer => {
      const bytes = Buffer.alloc(block)
      bytes.writeUInt32BE(value)
      return bytes
    }
    for (let value = 0; goesOn();) {
      const { compared } = SharedDiskWord
      const before = Atomics.load(server.words, compared)
      const isKnown = await disk.compareAndWrite(at, blockOf(value), blockOf(value + 1)).then(
        () => true,
        (error: { code?: string }) => {
          assert.equal(error.code, 'ABORTED_COMMAND')
          return false
        },
      )
      assert.ok(Atomics.load(server.words, compared) - before <= 1, 'a COMPARE AND WRITE was carried out twice')
      const now = (await disk.read(at, block)).readUInt32BE()
      assert.ok(isKnown ? now === value + 1 : now === value || now === value + 1)
      value = now
      done.compared++
      if (!isKnown) done.unknown++
    }
  }

  /** The disk's worker dies when it has gone on for a moment, now and then the other one with it. */
  const kill = async (): Promise<void> => {
    while (connected < 5 && goesOn()) await sleep(1)
    for (; goesOn(); deaths++) {
      const before = resumed()
      server.kill(0)
      if (deaths % 4 === 3) server.kill(1)
      while (resumed() === before && !hasFailed) await sleep(1)
      await sleep(30 * (deaths % 5))
    }
  }
  await Promise.all([...Array.from({ length: 4 }, async (_, client) => transfer(client)), count(), kill()]).catch((error: unknown) => {
    hasFailed = true
    throw error
  })
  assert.deepEqual(interruptions, [])
  assert.ok(server.metric('holdfast_worker_deaths_total') >= deaths)
  assert.ok(done.transfers > 0 && done.compared > 0)
})
