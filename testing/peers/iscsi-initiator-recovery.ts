/** PDUs that are lost, damaged or repeated on a connection that lives on (error recovery level 1), and tasks that change their connection (level 2). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { DiskOptions } from '@holdfast/iscsi/initiator'
import { Opcode } from '@holdfast/iscsi/pdu'
import { randomContent } from './folder.ts'
import { connectRelayed, exercise, until } from './iscsi-initiator-interruptions.ts'
import { mebibyte } from './iscsi-initiator-target.ts'
import type { Context } from './iscsi-initiator-target.ts'
import { meddleWith } from './iscsi-proxy.ts'
import type { Fate, PassingPdu } from './iscsi-proxy.ts'

type Kind = keyof typeof Opcode

const isKind =
  (kind: Kind, withData = false) =>
  ({ opcode, dataBytes }: PassingPdu): boolean =>
    opcode === Opcode[kind] && (!withData || dataBytes > 0)

/** See the file. */
export function recoveryTests(context: () => Context): void {
  const lacks = (t: TestContext, level: 1 | 2): boolean => {
    const has = context().target.errorRecoveryLevel
    if (has < level) t.skip(`the target has error recovery level ${has}`)
    return has < level
  }
  const level1: Partial<DiskOptions> = { errorRecoveryLevel: 1, headerDigest: 'required', dataDigest: 'required', recoveryMs: 200 }
  const level2: Partial<DiskOptions> = { errorRecoveryLevel: 2, recoveryMs: 200 }

  const events: readonly (readonly [Kind, Fate])[] = [
    ['dataIn', 'drop'],
    ['dataIn', 'corrupt'],
    ['dataIn', 'duplicate'],
    ['scsiResponse', 'drop'],
    ['scsiResponse', 'duplicate'],
    ['readyToTransfer', 'drop'],
    ['readyToTransfer', 'duplicate'],
    ['scsiCommand', 'drop'],
    ['scsiCommand', 'corrupt'],
    ['scsiCommand', 'duplicate'],
    ['dataOut', 'drop'],
    ['dataOut', 'corrupt'],
    ['dataOut', 'duplicate'],
  ]
  for (const [kind, fate] of events) {
    for (const times of [1, 3]) {
      test(`level 1: ${fate} ${times} × ${kind}`, async t => {
        if (lacks(t, 1)) return
        await using relayed = await connectRelayed(context(), level1)
        const { proxy, disk } = relayed
        assert.equal(disk.session.agreed.ErrorRecoveryLevel, 1)
        let skipped = 0
        const meddle = meddleWith(isKind(kind, fate === 'corrupt'), fate, times)
        // Not the very first ones, so that there is something before and after.
        proxy.rule = pdu => (isKind(kind)(pdu) && skipped++ < 2 ? 'pass' : meddle(pdu))
        await exercise(disk, 32 * mebibyte)
        assert.equal(proxy.meddled, times)
        assert.deepEqual(relayed.events, [], 'the connection lives on')
        assert.equal(proxy.connections, 1)
      })
    }
  }

  test('level 1: the last PDU of all is lost, and shows by a ping', async t => {
    if (lacks(t, 1)) return
    for (const kind of ['scsiResponse', 'dataIn'] as const) {
      await using relayed = await connectRelayed(context(), level1)
      const { proxy, disk } = relayed
      const content = randomContent(4096)
      if (kind === 'scsiResponse') {
        proxy.rule = meddleWith(isKind(kind), 'drop')
        await disk.write(33 * mebibyte, content)
      } else {
        await disk.write(33 * mebibyte, content)
        proxy.rule = meddleWith(isKind(kind), 'drop')
      }
      assert.deepEqual(await disk.read(33 * mebibyte, 4096), content)
      assert.equal(proxy.meddled, 1)
      assert.deepEqual(relayed.events, [])
    }
  })

  test('level 1: a line that loses, damages and repeats one PDU in ten', async t => {
    if (lacks(t, 1)) return
    await using relayed = await connectRelayed(context(), { ...level1, reconnectMs: 60_000 })
    const { proxy, disk } = relayed
    let state = 20_261_121
    const fates: readonly Fate[] = ['drop', 'duplicate', 'corrupt']
    const meddled: readonly number[] = [Opcode.dataIn, Opcode.dataOut, Opcode.scsiCommand, Opcode.scsiResponse, Opcode.readyToTransfer]
    proxy.rule = ({ opcode, dataBytes }) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      if (state >>> 24 > 25 || !meddled.includes(opcode)) return 'pass'
      const fate = fates[(state >>> 16) % fates.length]
      return fate === 'corrupt' && dataBytes === 0 ? 'drop' : fate
    }
    for (let round = 0; round < 2; round++) await exercise(disk, 34 * mebibyte)
    assert.ok(proxy.meddled > 4, `${proxy.meddled} PDUs`)
  })

  for (const kind of ['scsiCommand', 'dataIn', 'scsiResponse', 'readyToTransfer', 'dataOut'] as const) {
    for (const connections of [1, 2]) {
      test(`level 2: one of ${connections} connections is cut at ${kind}, its tasks go on on a new one`, async t => {
        if (lacks(t, 2)) return
        await using relayed = await connectRelayed(context(), { ...level2, connections })
        const { proxy, disk } = relayed
        assert.equal(disk.session.agreed.ErrorRecoveryLevel, 2)
        let passed = 0
        proxy.rule = pdu => (isKind(kind)(pdu) && passed++ === 5 ? 'cut' : 'pass')
        await exercise(disk, 32 * mebibyte)
        assert.equal(proxy.meddled, 1)
        await until(() => relayed.events.length >= 2)
        assert.deepEqual(
          relayed.events.map(({ kind: what, scope }) => `${what} ${scope}`),
          ['lost connection', 'restored connection'],
        )
        assert.equal(proxy.connections, connections + 1)
        assert.equal(disk.session.connections, connections)
      })
    }
  }

  test('level 2: a command that must not be repeated goes on where it was', async t => {
    if (lacks(t, 2)) return
    await using relayed = await connectRelayed(context(), level2)
    const { proxy, disk } = relayed
    await disk.zero({ offset: 0, lengthBytes: 512 })
    proxy.rule = meddleWith(isKind('scsiResponse'), 'cut')
    await disk.compareAndWrite(0, Buffer.alloc(512), Buffer.alloc(512, 1))
    assert.deepEqual(await disk.read(0, 512), Buffer.alloc(512, 1))
  })

  test('level 2: cut again and again', async t => {
    if (lacks(t, 2)) return
    await using relayed = await connectRelayed(context(), { ...level2, connections: 2 })
    const { proxy, disk } = relayed
    for (let round = 0; round < 4; round++) {
      let left = 9 + round * 5
      proxy.rule = () => (left-- === 0 ? 'cut' : 'pass')
      await exercise(disk, 40 * mebibyte)
    }
    assert.ok(proxy.connections > 4, `${proxy.connections} connections`)
  })
}
