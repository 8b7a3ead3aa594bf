import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { TestContext } from 'node:test'
import { AsyncEvent, finalBit, LogoutReason, LogoutRequest, LogoutResponseCode, Opcode } from '../pdu/index.ts'
import type { TextPair } from '../pdu/index.ts'
import type { IscsiSessionView } from './index.ts'
import type { LoginStep } from './test-support/raw-initiator.ts'
import { RawInitiator } from './test-support/raw-initiator.ts'
import { guest, startTarget, targetNames } from './test-support/target.ts'

let target: Awaited<ReturnType<typeof startTarget>>
before(async () => {
  target = await startTarget()
})
after(() => target[Symbol.asyncDispose]())

const block = 512
const read10 = (lba: number, blocks: number): number[] => [0x28, 0, 0, 0, 0, lba, 0, 0, blocks]
const write10 = (lba: number, blocks: number): number[] => [0x2a, 0, 0, 0, 0, lba, 0, 0, blocks]

/** A session of an initiator of that name, with the open target. */
async function session(context: TestContext, name: string, more: readonly TextPair[] = [], step: LoginStep = {}) {
  const raw = await RawInitiator.connect(target.port)
  context.after(() => raw[Symbol.asyncDispose]())
  const pairs: TextPair[] = [['InitiatorName', name], ['TargetName', targetNames.open], ...more]
  const { fields, status } = await raw.login(pairs, step)
  assert.equal(status, 0)
  return { raw, tsih: Number(fields['tsih']) }
}

const viewOf = (tsih: number): IscsiSessionView | undefined => target.protocol.sessions().find(view => view.tsih === tsih)

test('a session is shown with who it is of, what its connections are like, and what went over them', async context => {
  const before = Date.now()
  const { raw, tsih } = await session(context, guest, [
    ['InitiatorAlias', 'the guest'],
    ['HeaderDigest', 'CRC32C'],
    ['InitialR2T', 'Yes'],
    ['ImmediateData', 'No'],
    ['MaxConnections', '2'],
  ])
  raw.digests = { header: true, data: false }
  raw.command([0])
  await raw.expect(Opcode.scsiResponse)
  raw.command(read10(0, 3), { expectedBytes: 3 * block })
  await raw.expect(Opcode.dataIn)
  raw.command(write10(0, 2), { isWrite: true, expectedBytes: 2 * block })
  await raw.expect(Opcode.readyToTransfer)
  const second = await session(context, guest, [], { tsih, cid: 2 })
  const view = viewOf(tsih)!
  const { since, connections, ...rest } = view
  assert.deepEqual(rest, {
    tsih,
    isid: '800000010000',
    initiatorName: guest,
    initiatorAlias: 'the guest',
    user: undefined,
    target: targetNames.open,
    errorRecoveryLevel: 0,
    commands: 3,
    readBytes: 3 * block,
    writtenBytes: 0,
    waitingCommands: 1,
  })
  assert.deepEqual(
    connections.map(({ cid, remotePort, localPort, headerDigest, dataDigest }) => [cid, remotePort, localPort, headerDigest, dataDigest]),
    [
      [1, raw.socket.localPort, target.port, true, false],
      [2, second.raw.socket.localPort, target.port, false, false],
    ],
  )
  for (const time of [since, ...connections.flatMap(each => [each.since, each.lastHeard])]) assert.ok(time >= before && time <= Date.now())
  assert.deepEqual(structuredClone(view), view)
})

test('discovery sessions are shown too, without a target', async () => {
  await using raw = await RawInitiator.connect(target.port)
  const { fields } = await raw.login([
    ['InitiatorName', guest],
    ['SessionType', 'Discovery'],
  ])
  assert.equal(viewOf(Number(fields['tsih']))?.target, undefined)
  assert.equal(viewOf(Number(fields['tsih']))?.initiatorName, guest)
})

test('a session that is disconnected is asked to log out, and left to do so (RFC 7143 11.9.1)', async context => {
  const { raw, tsih } = await session(context, 'iqn.2026-11.test:obedient')
  const ended = target.protocol.disconnect(tsih, 60)
  const { fields } = await raw.expect(Opcode.asyncMessage)
  assert.deepEqual([fields['event'], fields['parameter3']], [AsyncEvent.logoutRequested, 60])
  raw.send(LogoutRequest, {
    flags: finalBit | LogoutReason.closeSession,
    initiatorTaskTag: raw.nextTag(),
    cid: 1,
    cmdSn: raw.cmdSn,
    expStatSn: 0,
  })
  assert.equal((await raw.expect(Opcode.logoutResponse)).fields['response'], LogoutResponseCode.closed)
  assert.equal(await ended, true)
  assert.equal(await raw.receive(), undefined)
  assert.equal(viewOf(tsih), undefined)
})

test('one that does not log out is told that it ends', async context => {
  const { raw, tsih } = await session(context, 'iqn.2026-11.test:stubborn')
  const ended = target.protocol.disconnect(tsih, 1)
  assert.equal((await raw.expect(Opcode.asyncMessage)).fields['event'], AsyncEvent.logoutRequested)
  assert.equal((await raw.expect(Opcode.asyncMessage)).fields['event'], AsyncEvent.sessionDrop)
  assert.equal(await raw.receive(), undefined)
  assert.equal(await ended, true)
})

test('what there is not cannot be disconnected', async () => {
  assert.equal(await target.protocol.disconnect(0xfffe), false)
})
