import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionManager } from '@holdfast/engine'
import type { Connection } from '@holdfast/engine'
import { OutOfSharedMemory } from '@holdfast/engine/worker'
import { NopOut, Opcode } from '../pdu/index.ts'
import { LogicalUnit, Status, TargetDevice } from '../scsi/index.ts'
import { SlowDevice } from '../scsi/test-support/slow-device.ts'
import { createIscsiTarget, iscsiFraming } from './index.ts'
import { RawInitiator } from './test-support/raw-initiator.ts'

const name = 'iqn.2026-11.test:small'
const block = 512
const testUnitReady = [0]
const read10 = (lba: number, blocks: number): number[] => [0x28, 0, 0, 0, 0, lba, 0, 0, blocks]

/** A target whose connections find no shared memory while `isFull`, with a disk whose reads wait. */
async function start() {
  const disk = new SlowDevice()
  const memory = { isFull: false, refused: 0 }
  const description = { name, owner: 0, needsAuthentication: false }
  const identity = { vendor: 'HOLDFAST', product: 'TEST', revision: '1', serial: '1', naa: Buffer.from('3000000000000001', 'hex') }
  const device = new TargetDevice()
  device.addUnit(0, new LogicalUnit({ device: disk, identity }))
  const wrapped = (connection: Connection): Connection =>
    new Proxy(connection, {
      get(of, property) {
        if (property === 'allocate' && memory.isFull) {
          return (lengthBytes: number) => {
            memory.refused++
            throw new OutOfSharedMemory(lengthBytes)
          }
        }
        const value: unknown = Reflect.get(of, property)
        return typeof value === 'function' ? (value.bind(of) as unknown) : value
      },
    })
  const manager = await ConnectionManager.start({
    inThread: {
      iscsi: {
        framing: iscsiFraming,
        create(node) {
          const target = createIscsiTarget(node, {
            targets: { find: asked => (asked === name ? description : undefined), list: () => [description], device: async () => device },
            credentials: { secretOf: async () => undefined },
            portals: local => [{ ...local, portalGroupTag: 1 }],
          })
          return { ...target, accept: (connection, checkpoints) => target.accept(wrapped(connection), checkpoints) }
        },
      },
    },
  })
  const { port } = await manager.listen({ protocol: 'iscsi', framing: iscsiFraming, distributed: true, host: '127.0.0.1', port: 0 })
  const raw = await RawInitiator.connect(port)
  await raw.login([
    ['InitiatorName', 'iqn.2026-11.test:initiator'],
    ['TargetName', name],
  ])
  // POWER ON OCCURRED is told once.
  raw.command(testUnitReady)
  await raw.expect(Opcode.scsiResponse)
  return {
    disk,
    memory,
    raw,
    async [Symbol.asyncDispose]() {
      await raw[Symbol.asyncDispose]()
      await manager.close()
    },
  }
}

test('a command that ends when there is no shared memory is answered when there is some again', async () => {
  await using target = await start()
  const { disk, memory, raw } = target
  const tag = raw.command(read10(0, 1), { expectedBytes: block })
  while (disk.reading.length === 0) await sleep(1)
  memory.isFull = true
  const behind = raw.command(testUnitReady)
  raw.send(NopOut, { opcode: Opcode.nopOut | 0x40, initiatorTaskTag: 900, cmdSn: raw.cmdSn, expStatSn: 0 }, Buffer.from('there?'))
  while (memory.refused < 2) await sleep(1)
  disk.finish(0)
  await sleep(20)
  memory.isFull = false
  assert.equal((await raw.expect(Opcode.scsiResponse)).fields['initiatorTaskTag'], behind)
  assert.equal((await raw.expect(Opcode.nopIn)).data.toString(), 'there?')
  const read = await raw.expect(Opcode.dataIn)
  assert.deepEqual([read.fields['initiatorTaskTag'], read.data.length], [tag, block])
})

test('a command that wants to give data then is told that the unit is busy (SAM-5 5.3.1)', async () => {
  await using target = await start()
  const { memory, raw } = target
  memory.isFull = true
  // More than there may be room for behind a response that waits.
  const reads = [0, 64].map(lba => raw.command(read10(lba, 64), { expectedBytes: 64 * block }))
  while (memory.refused < 2) await sleep(1)
  memory.isFull = false
  for (const tag of reads) {
    const { fields } = await raw.expect(Opcode.scsiResponse)
    assert.deepEqual([fields['initiatorTaskTag'], fields['status']], [tag, Status.busy])
  }
  raw.command([0x12, 0, 0, 0, 36, 0], { expectedBytes: 36 })
  await raw.expect(Opcode.dataIn)
})
