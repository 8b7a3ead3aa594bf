import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  AsyncEvent,
  DataOut,
  finalBit,
  LogoutReason,
  LogoutRequest,
  LogoutResponseCode,
  NopOut,
  Opcode,
  parseText,
  RejectReason,
  ScsiResponseFlags,
  SnackRequest,
  SnackType,
  TaskManagementFunction,
  TaskManagementRequest,
  TaskManagementResponseCode,
  TextFlags,
  TextRequest,
} from '../pdu/index.ts'
import type { TextPair } from '../pdu/index.ts'
import { decodeSense, describeSense, Status } from '../scsi/index.ts'
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
let isids = 10

/** A session with the open target; what it wants besides, and whether the unit attention of the beginning has been taken. */
async function session(context: TestContext, more: readonly TextPair[] = [], name = 'iqn.2026-11.test:initiator'): Promise<RawInitiator> {
  const raw = await RawInitiator.connect(target.port)
  context.after(() => raw[Symbol.asyncDispose]())
  const { pairs, status } = await raw.login([['InitiatorName', name], ['TargetName', targetNames.open], ...more], { isid: isids++ })
  assert.equal(status, 0)
  raw.digests = { header: pairs.get('HeaderDigest') === 'CRC32C', data: pairs.get('DataDigest') === 'CRC32C' }
  // POWER ON OCCURRED is told once.
  raw.command([0])
  const { fields, data } = await raw.expect(Opcode.scsiResponse)
  assert.equal(fields['status'], Status.checkCondition)
  assert.match(describeSense(decodeSense(data.subarray(2))), /POWER ON/)
  return raw
}

const dataOut = (
  raw: RawInitiator,
  of: { tag: number; transferTag?: number; dataSn?: number; offset?: number; isFinal?: boolean },
  data: Buffer,
  spoil?: (pdu: Buffer) => void,
): void => {
  const { tag, transferTag = 0xffff_ffff, dataSn = 0, offset = 0, isFinal = true } = of
  const header = { flags: isFinal ? finalBit : 0, initiatorTaskTag: tag, targetTransferTag: transferTag, expStatSn: 0, dataSn, bufferOffset: offset }
  raw.send(DataOut, header, data, spoil)
}

const manage = (
  raw: RawInitiator,
  name: keyof typeof TaskManagementFunction,
  more: { referencedTaskTag?: number; refCmdSn?: number; lun?: bigint } = {},
): void =>
  raw.send(TaskManagementRequest, {
    flags: finalBit | TaskManagementFunction[name],
    initiatorTaskTag: raw.nextTag(),
    cmdSn: raw.cmdSn++,
    expStatSn: 0,
    ...more,
  })

const ping = (raw: RawInitiator, data = ''): void =>
  raw.send(NopOut, { initiatorTaskTag: raw.nextTag(), cmdSn: raw.cmdSn, expStatSn: 0 }, Buffer.from(data))

test('what is written is read, with good status in the last Data-In (RFC 7143 11.7.3)', async context => {
  const raw = await session(context)
  const content = Buffer.alloc(2 * block, 'ab')
  raw.command(write10(3, 2), { isWrite: true, expectedBytes: content.length, data: content })
  assert.equal((await raw.expect(Opcode.scsiResponse)).fields['status'], Status.good)
  raw.command(read10(3, 2), { expectedBytes: content.length })
  const { fields, data } = await raw.expect(Opcode.dataIn)
  assert.deepEqual([Number(fields['flags']) & 0x87, fields['status'], fields['dataSn'], fields['bufferOffset']], [0x81, Status.good, 0, 0])
  assert.ok(data.equals(content))
})

test('a read is cut as the initiator takes it, and bursts end with the F bit (13.12, 13.13)', async context => {
  const raw = await session(context, [
    ['MaxRecvDataSegmentLength', '1024'],
    ['MaxBurstLength', '1536'],
  ])
  raw.command(read10(0, 8), { expectedBytes: 8 * block })
  const seen: [number, number, boolean][] = []
  for (let bytes = 0; bytes < 8 * block;) {
    const { fields, data } = await raw.expect(Opcode.dataIn)
    seen.push([Number(fields['bufferOffset']), data.length, (Number(fields['flags']) & finalBit) !== 0])
    bytes += data.length
  }
  assert.deepEqual(seen, [
    [0, 1024, false],
    [1024, 512, true],
    [1536, 1024, false],
    [2560, 512, true],
    [3072, 1024, true],
  ])
})

test('less and more than was expected is told as residual (11.4.5)', async context => {
  const raw = await session(context)
  raw.command(read10(0, 1), { expectedBytes: 3 * block })
  const under = await raw.expect(Opcode.dataIn)
  assert.deepEqual(
    [under.data.length, Number(under.fields['flags']) & ScsiResponseFlags.underflow, under.fields['residualCount']],
    [block, 2, 2 * block],
  )
  raw.command(read10(0, 3), { expectedBytes: block })
  const over = await raw.expect(Opcode.dataIn)
  assert.deepEqual([over.data.length, Number(over.fields['flags']) & ScsiResponseFlags.overflow, over.fields['residualCount']], [block, 4, 2 * block])
})

test('a write is asked for what did not come with it (11.8)', async context => {
  const raw = await session(context, [['InitialR2T', 'Yes']])
  const content = Buffer.alloc(8 * block, 'xyz')
  const tag = raw.command(write10(0, 8), { isWrite: true, expectedBytes: content.length, data: content.subarray(0, block) })
  const { fields } = await raw.expect(Opcode.readyToTransfer)
  assert.deepEqual([fields['bufferOffset'], fields['desiredDataTransferLength']], [block, 7 * block])
  const transferTag = Number(fields['targetTransferTag'])
  dataOut(raw, { tag, transferTag, offset: block, isFinal: false }, content.subarray(block, 3 * block))
  dataOut(raw, { tag, transferTag, dataSn: 1, offset: 3 * block }, content.subarray(3 * block))
  assert.equal((await raw.expect(Opcode.scsiResponse)).fields['status'], Status.good)
  raw.command(read10(0, 8), { expectedBytes: content.length })
  assert.ok((await raw.expect(Opcode.dataIn)).data.equals(content))
})

test('unsolicited data follows where it was agreed on (13.10)', async context => {
  const raw = await session(context, [['InitialR2T', 'No']])
  const content = Buffer.alloc(2 * block, 'q')
  const tag = raw.command(write10(9, 2), { isWrite: true, expectedBytes: content.length, data: content.subarray(0, block), isFinal: false })
  dataOut(raw, { tag, offset: block }, content.subarray(block))
  assert.equal((await raw.expect(Opcode.scsiResponse)).fields['status'], Status.good)
})

const damaged: readonly (readonly [what: string, of: { transferTag?: number; dataSn?: number; offset?: number }, bytes: number, sense: RegExp])[] = [
  ['a gap in DataSN', { dataSn: 1 }, block, /DATA PHASE ERROR/],
  ['another offset', { offset: block }, block, /DATA PHASE ERROR/],
  ['a transfer tag that was not given', { transferTag: 99 }, block, /UNEXPECTED UNSOLICITED DATA/],
  ['more than was asked for', {}, 3 * block, /UNEXPECTED UNSOLICITED DATA/],
]
for (const [what, wrong, bytes, sense] of damaged) {
  test(`${what} ends the write at level 0 (11.4.7.2)`, async context => {
    const raw = await session(context, [
      ['InitialR2T', 'Yes'],
      ['ImmediateData', 'No'],
    ])
    const tag = raw.command(write10(0, 2), { isWrite: true, expectedBytes: 2 * block })
    const { fields } = await raw.expect(Opcode.readyToTransfer)
    dataOut(raw, { tag, transferTag: Number(fields['targetTransferTag']), ...wrong }, Buffer.alloc(bytes))
    const { fields: response, data } = await raw.expect(Opcode.scsiResponse)
    assert.equal(response['status'], Status.checkCondition)
    assert.match(describeSense(decodeSense(data.subarray(2))), sense)
  })
}

test('commands outside of the window are ignored, and those ahead wait (4.2.2.1)', async context => {
  const raw = await session(context)
  const next = raw.cmdSn
  raw.command([0], { cmdSn: next - 1 })
  raw.command([0], { cmdSn: next + 1000 })
  const ahead = raw.command([0], { cmdSn: next + 1 })
  raw.cmdSn = next
  const first = raw.command([0])
  raw.cmdSn = next + 2
  for (const tag of [first, ahead]) assert.equal((await raw.expect(Opcode.scsiResponse)).fields['initiatorTaskTag'], tag)
  ping(raw, 'still there?')
  assert.equal((await raw.expect(Opcode.nopIn)).data.toString(), 'still there?')
})

test('what nobody knows, and a tag that is in use, is rejected with its header (11.17)', async context => {
  const raw = await session(context, [['InitialR2T', 'Yes']])
  raw.send(NopOut, { opcode: 0x1d | 0x40, initiatorTaskTag: 5, cmdSn: raw.cmdSn, expStatSn: 0 })
  const unknown = await raw.expect(Opcode.reject)
  assert.deepEqual([unknown.fields['reason'], unknown.data.length, unknown.data[0]], [RejectReason.commandNotSupported, 48, 0x5d])
  const tag = raw.command(write10(0, 8), { isWrite: true, expectedBytes: 8 * block })
  await raw.expect(Opcode.readyToTransfer)
  raw.command([0], { tag })
  assert.equal((await raw.expect(Opcode.reject)).fields['reason'], RejectReason.taskInProgress)
})

test('a task that is aborted is not answered (11.5)', async context => {
  const raw = await session(context, [
    ['InitialR2T', 'Yes'],
    ['ImmediateData', 'No'],
  ])
  const tag = raw.command(write10(0, 2), { isWrite: true, expectedBytes: 2 * block })
  const { fields } = await raw.expect(Opcode.readyToTransfer)
  manage(raw, 'abortTask', { referencedTaskTag: tag, refCmdSn: raw.cmdSn - 1 })
  assert.equal((await raw.expect(Opcode.taskManagementResponse)).fields['response'], TaskManagementResponseCode.complete)
  dataOut(raw, { tag, transferTag: Number(fields['targetTransferTag']) }, Buffer.alloc(2 * block))
  manage(raw, 'abortTask', { referencedTaskTag: tag, refCmdSn: raw.cmdSn - 2 })
  assert.equal((await raw.expect(Opcode.taskManagementResponse)).fields['response'], TaskManagementResponseCode.taskDoesNotExist)
})

test('an abort of a command that was lost lets those behind it go on (11.6.1)', async context => {
  const raw = await session(context)
  const lost = raw.cmdSn++
  const behind = raw.command([0])
  raw.send(TaskManagementRequest, {
    opcode: Opcode.taskManagementRequest | 0x40,
    flags: finalBit | TaskManagementFunction.abortTask,
    initiatorTaskTag: raw.nextTag(),
    referencedTaskTag: 4711,
    refCmdSn: lost,
    cmdSn: raw.cmdSn,
    expStatSn: 0,
  })
  const answers = [await raw.receive(), await raw.receive()]
  assert.deepEqual(new Set(answers.map(answer => answer?.opcode)), new Set([Opcode.scsiResponse, Opcode.taskManagementResponse]))
  assert.equal(answers.find(answer => answer?.opcode === Opcode.scsiResponse)?.fields['initiatorTaskTag'], behind)
})

test('a reset of the unit ends the tasks of all, and they are told (SAM-5 7.6)', async context => {
  const raw = await session(context, [
    ['InitialR2T', 'Yes'],
    ['ImmediateData', 'No'],
  ])
  const other = await session(context, [], guest)
  raw.command(write10(0, 2), { isWrite: true, expectedBytes: 2 * block })
  await raw.expect(Opcode.readyToTransfer)
  manage(other, 'logicalUnitReset')
  assert.equal((await other.expect(Opcode.taskManagementResponse)).fields['response'], TaskManagementResponseCode.complete)
  raw.command([0])
  const { data } = await raw.expect(Opcode.scsiResponse)
  assert.match(describeSense(decodeSense(data.subarray(2))), /RESET/)
  manage(other, 'logicalUnitReset', { lun: 5n << 48n })
  assert.equal((await other.expect(Opcode.taskManagementResponse)).fields['response'], TaskManagementResponseCode.lunDoesNotExist)
  manage(other, 'clearAca')
  assert.equal((await other.expect(Opcode.taskManagementResponse)).fields['response'], TaskManagementResponseCode.functionNotSupported)
})

test('SendTargets tells all in a discovery session, and its own in a normal one (Appendix C)', async context => {
  const ask = async (raw: RawInitiator, which: string): Promise<string[]> => {
    raw.send(
      TextRequest,
      { flags: TextFlags.final, initiatorTaskTag: raw.nextTag(), cmdSn: raw.cmdSn++, expStatSn: 0 },
      Buffer.from(`SendTargets=${which}\0`),
    )
    return parseText((await raw.expect(Opcode.textResponse)).data).flatMap(([key, value]) => (key === 'TargetName' ? [value] : []))
  }
  const normal = await session(context)
  assert.deepEqual(await ask(normal, ''), [targetNames.open])
  assert.deepEqual(await ask(normal, 'All'), [])
  await using discovery = await RawInitiator.connect(target.port)
  await discovery.login([
    ['InitiatorName', guest],
    ['SessionType', 'Discovery'],
  ])
  assert.deepEqual(await ask(discovery, 'All'), Object.values(targetNames))
  assert.deepEqual(await ask(discovery, targetNames.locked), [targetNames.locked])
  discovery.command([0])
  assert.equal((await discovery.expect(Opcode.reject)).fields['reason'], RejectReason.commandNotSupported)
})

test('a connection is logged out, and what is not there is said (11.14)', async context => {
  const raw = await session(context)
  const logout = (reason: number, cid: number): void =>
    raw.send(LogoutRequest, { flags: finalBit | reason, initiatorTaskTag: raw.nextTag(), cid, cmdSn: raw.cmdSn, expStatSn: 0 })
  logout(LogoutReason.closeConnection, 9)
  assert.equal((await raw.expect(Opcode.logoutResponse)).fields['response'], LogoutResponseCode.cidNotFound)
  logout(LogoutReason.removeConnectionForRecovery, 1)
  assert.equal((await raw.expect(Opcode.logoutResponse)).fields['response'], LogoutResponseCode.recoveryNotSupported)
  logout(LogoutReason.closeSession, 0)
  assert.equal((await raw.expect(Opcode.logoutResponse)).fields['response'], LogoutResponseCode.closed)
  assert.equal(await raw.receive(), undefined)
})

const digests: readonly TextPair[] = [
  ['HeaderDigest', 'CRC32C'],
  ['DataDigest', 'CRC32C'],
]

test('digests are written and checked; damaged data is rejected (7.8)', async context => {
  const raw = await session(context, digests)
  const content = Buffer.alloc(block, 'd')
  raw.command(write10(1, 1), { isWrite: true, expectedBytes: block, data: content })
  assert.equal((await raw.expect(Opcode.scsiResponse)).fields['status'], Status.good)
  raw.send(NopOut, { initiatorTaskTag: 77, cmdSn: raw.cmdSn, expStatSn: 0 }, Buffer.from('ping'), pdu => void (pdu[53] ^= 1))
  assert.equal((await raw.expect(Opcode.reject)).fields['reason'], RejectReason.dataDigestError)
  ping(raw, 'ping')
  assert.equal((await raw.expect(Opcode.nopIn)).data.toString(), 'ping')
})

test('a damaged header ends the connection at level 0, and is as if it had not come at level 1', async context => {
  const spoiled = (raw: RawInitiator): void =>
    raw.send(NopOut, { initiatorTaskTag: 78, cmdSn: raw.cmdSn, expStatSn: 0 }, Buffer.alloc(0), pdu => void (pdu[20] ^= 1))
  const none = await session(context, digests)
  spoiled(none)
  assert.equal(await none.receive(), undefined)
  const one = await session(context, [...digests, ['ErrorRecoveryLevel', '1']])
  spoiled(one)
  ping(one, 'x')
  assert.notEqual((await one.expect(Opcode.nopIn)).fields['initiatorTaskTag'], 78)
})

test('at level 1 damaged data is asked for again (7.4, 7.8)', async context => {
  const raw = await session(context, [...digests, ['ErrorRecoveryLevel', '1'], ['InitialR2T', 'Yes'], ['ImmediateData', 'No']])
  const content = Buffer.alloc(2 * block, 'r')
  const tag = raw.command(write10(0, 2), { isWrite: true, expectedBytes: content.length })
  const first = await raw.expect(Opcode.readyToTransfer)
  dataOut(raw, { tag, transferTag: Number(first.fields['targetTransferTag']) }, content, pdu => void (pdu[60] ^= 1))
  assert.equal((await raw.expect(Opcode.reject)).fields['reason'], RejectReason.dataDigestError)
  const again = await raw.expect(Opcode.readyToTransfer)
  assert.deepEqual([again.fields['r2tSn'], again.fields['bufferOffset'], again.fields['desiredDataTransferLength']], [1, 0, content.length])
  dataOut(raw, { tag, transferTag: Number(again.fields['targetTransferTag']) }, content)
  assert.equal((await raw.expect(Opcode.scsiResponse)).fields['status'], Status.good)
})

test('at level 1 a SNACK brings back data and responses (11.16)', async context => {
  const raw = await session(context, [
    ['ErrorRecoveryLevel', '1'],
    ['MaxRecvDataSegmentLength', '512'],
  ])
  const tag = raw.command(read10(0, 3), { expectedBytes: 3 * block })
  const seen = [await raw.expect(Opcode.dataIn), await raw.expect(Opcode.dataIn), await raw.expect(Opcode.dataIn)]
  const snack = (type: number, begRun: number, runLength: number, initiatorTaskTag: number): void =>
    raw.send(SnackRequest, { flags: finalBit | type, initiatorTaskTag, expStatSn: 0, begRun, runLength })
  snack(SnackType.dataOrR2t, 1, 1, tag)
  // The numbers of the session are those of now.
  const again = async (): Promise<unknown> => {
    const { fields, data } = await raw.expect(Opcode.dataIn)
    return { opcode: Opcode.dataIn, fields: { ...fields, maxCmdSn: seen[0].fields['maxCmdSn'] }, data }
  }
  assert.deepEqual(await again(), seen[1])
  snack(SnackType.status, Number(seen[2].fields['statSn']), 1, 0xffff_ffff)
  assert.deepEqual(await again(), seen[2])
  snack(SnackType.dataOrR2t, 7, 1, tag)
  assert.equal((await raw.expect(Opcode.reject)).fields['reason'], RejectReason.snackReject)
})

test('at level 2 a task goes on over a connection that takes the place of one that failed (7.2)', async context => {
  const name = 'iqn.2026-11.test:recovering'
  const names: TextPair[] = [
    ['InitiatorName', name],
    ['TargetName', targetNames.open],
  ]
  const isid = isids++
  const lost = await RawInitiator.connect(target.port)
  const { fields } = await lost.login(
    [...names, ['ErrorRecoveryLevel', '2'], ['InitialR2T', 'Yes'], ['ImmediateData', 'No'], ['DefaultTime2Wait', '0']],
    { isid },
  )
  lost.command([0])
  await lost.expect(Opcode.scsiResponse)
  const content = Buffer.alloc(2 * block, 'z')
  const writing = lost.command(write10(20, 2), { isWrite: true, expectedBytes: content.length })
  await lost.expect(Opcode.readyToTransfer)
  const reading = lost.command(read10(0, 1), { expectedBytes: block })
  const answered = await lost.expect(Opcode.dataIn)
  await lost[Symbol.asyncDispose]()

  const raw = await RawInitiator.connect(target.port)
  context.after(() => raw[Symbol.asyncDispose]())
  raw.cmdSn = lost.cmdSn
  assert.equal((await raw.login(names, { isid, tsih: Number(fields['tsih']) })).status, 0)
  manage(raw, 'taskReassign', { referencedTaskTag: reading })
  assert.equal((await raw.expect(Opcode.taskManagementResponse)).fields['response'], TaskManagementResponseCode.complete)
  assert.ok((await raw.expect(Opcode.dataIn)).data.equals(answered.data))
  manage(raw, 'taskReassign', { referencedTaskTag: writing })
  assert.equal((await raw.expect(Opcode.taskManagementResponse)).fields['response'], TaskManagementResponseCode.complete)
  const again = await raw.expect(Opcode.readyToTransfer)
  dataOut(raw, { tag: writing, transferTag: Number(again.fields['targetTransferTag']) }, content)
  assert.equal((await raw.expect(Opcode.scsiResponse)).fields['status'], Status.good)
  manage(raw, 'taskReassign', { referencedTaskTag: 4711 })
  assert.equal((await raw.expect(Opcode.taskManagementResponse)).fields['response'], TaskManagementResponseCode.taskDoesNotExist)
})

test('sessions of a target that goes away are told, and end (11.9.1)', async context => {
  await using other = await startTarget()
  const raw = await RawInitiator.connect(other.port)
  context.after(() => raw[Symbol.asyncDispose]())
  await raw.login([
    ['InitiatorName', guest],
    ['TargetName', targetNames.open],
  ])
  await other.remove(targetNames.open)
  const { fields } = await raw.expect(Opcode.asyncMessage)
  assert.deepEqual([fields['event'], fields['parameter2'], fields['parameter3']], [AsyncEvent.sessionDrop, 2, 20])
  assert.equal(await raw.receive(), undefined)
})

for (const level of ['0', '1']) {
  test(`a command that waits for another one when its connection ends leaves nothing behind, at level ${level}`, async () => {
    await using other = await startTarget()
    const raw = await RawInitiator.connect(other.port)
    await raw.login([
      ['InitiatorName', guest],
      ['TargetName', targetNames.open],
      ['ErrorRecoveryLevel', level],
    ])
    raw.command([0], { cmdSn: raw.cmdSn + 1 })
    ping(raw)
    await raw.expect(Opcode.nopIn)
    await raw[Symbol.asyncDispose]()
    const deadline = performance.now() + 2000
    while (other.metric('holdfast_connections') > 0 && performance.now() < deadline) await sleep(5)
    assert.deepEqual([other.metric('holdfast_connections'), other.metric('holdfast_inbound_memory_bytes')], [0, 0])
  })
}
