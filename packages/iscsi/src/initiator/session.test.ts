import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  additionalHeadersOf,
  AsyncEvent,
  AsyncMessage,
  cdbOf,
  DataIn,
  DataInFlags,
  finalBit,
  LoginStatus,
  LogoutResponse,
  NopIn,
  NopOut,
  Opcode,
  ReadyToTransfer,
  Reject,
  RejectReason,
  reservedTag,
  ScsiResponse,
  SenseData,
  TaskManagementRequest,
  TaskManagementResponse,
  TextResponse,
} from '../pdu/index.ts'
import { IscsiError } from './errors.ts'
import type { Interruption } from './interruption.ts'
import type { SessionOptions } from './options.ts'
import { startScriptedTarget } from './scripted-target.ts'
import type { Script, ScriptedConnection, ScriptedPdu, ScriptedTarget } from './scripted-target.ts'
import { IscsiSession } from './session.ts'

const failed = (code: string) => (error: unknown) => error instanceof IscsiError && error.code === code
const testUnitReady = { lun: 0n, cdb: Buffer.alloc(6), isRepeatable: true }

const good = ({ tag }: ScriptedPdu, connection: ScriptedConnection): void =>
  connection.send(ScsiResponse, { status: 0, initiatorTaskTag: tag, ...connection.serials() })

/** Says goodbye to whoever does; everything else is the test's. */
const politely =
  (onPdu: Script['onPdu']): Script['onPdu'] =>
  (pdu, connection) => {
    if (pdu.opcode === Opcode.logoutRequest) connection.send(LogoutResponse, { response: 0, initiatorTaskTag: pdu.tag, ...connection.serials() })
    else onPdu(pdu, connection)
  }

const connect = async (target: ScriptedTarget, more: Partial<SessionOptions> = {}): Promise<IscsiSession> =>
  IscsiSession.connect({ host: '127.0.0.1', port: target.port, target: 'iqn.2026-11.test.scripted:disk', timeoutMs: 5000, ...more })

/** Waits until something holds; the test's own time limit ends it otherwise. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(1)
}

describe('redirection (RFC 7143 11.13.5)', () => {
  test('a login goes where it is sent', async () => {
    await using elsewhere = await startScriptedTarget({ onPdu: politely(good) })
    await using first = await startScriptedTarget({
      onPdu: () => undefined,
      onLogin: () => ({ status: LoginStatus.targetMovedTemporarily, pairs: [['TargetAddress', `127.0.0.1:${elsewhere.port},1`]] }),
    })
    await using session = await connect(first)
    assert.equal((await session.execute(testUnitReady)).status, 0)
    assert.equal(elsewhere.connections.length, 1)
  })

  test('a target that has moved for good is looked for there from then on, one that has not where it was', async () => {
    for (const [status, asksFirst] of [
      [LoginStatus.targetMovedPermanently, 1],
      [LoginStatus.targetMovedTemporarily, 2],
    ] as const) {
      await using elsewhere = await startScriptedTarget({ onPdu: politely(good) })
      await using first = await startScriptedTarget({
        onPdu: () => undefined,
        onLogin: () => ({ status, pairs: [['TargetAddress', `127.0.0.1:${elsewhere.port},1`]] }),
      })
      await using session = await connect(first)
      elsewhere.connections[0].close()
      assert.equal((await session.execute(testUnitReady)).status, 0)
      assert.equal(first.connections.length, asksFirst)
    }
  })

  test('one in a circle ends', async () => {
    const own = { port: 0 }
    await using circle = await startScriptedTarget({
      onPdu: () => undefined,
      onLogin: () => ({ status: LoginStatus.targetMovedTemporarily, pairs: [['TargetAddress', `127.0.0.1:${own.port},1`]] }),
    })
    own.port = circle.port
    await assert.rejects(connect(circle), failed('LOGIN_FAILED'))
  })
})

describe('commands', () => {
  test('a long CDB, and data both ways, go with additional header segments (11.2.2)', async () => {
    const seen: ScriptedPdu[] = []
    await using target = await startScriptedTarget({
      wanted: { ImmediateData: true },
      onPdu: politely((pdu, connection) => {
        seen.push(pdu)
        connection.send(
          DataIn,
          { flags: finalBit, initiatorTaskTag: pdu.tag, dataSn: 0, bufferOffset: 0, ...connection.serials(false) },
          Buffer.from('answer'),
        )
        good(pdu, connection)
      }),
    })
    await using session = await connect(target)
    const cdb = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
    const dataIn = Buffer.alloc(6)
    const result = await session.execute({ lun: 5n, cdb, dataOut: Buffer.from('question'), dataIn, isRepeatable: false })
    assert.equal(result.status, 0)
    assert.equal(String(dataIn), 'answer')
    assert.deepEqual(cdbOf(seen[0].bytes), cdb)
    assert.equal(additionalHeadersOf(seen[0].bytes).bidirectionalReadLength, 6)
    assert.equal(String(seen[0].data), 'question')
  })

  test('no more than the window takes (4.2.2.1)', async () => {
    const waiting: [ScriptedPdu, ScriptedConnection][] = []
    await using target = await startScriptedTarget({
      onPdu: politely((pdu, connection) => {
        if (pdu.opcode === Opcode.nopOut) return connection.send(NopIn, { initiatorTaskTag: pdu.tag, ...connection.serials() })
        waiting.push([pdu, connection])
        connection.windowSize = 3 - waiting.length
      }),
      onLogin: (_, connection) => void (connection.windowSize = 3),
    })
    await using session = await connect(target)
    const results = Promise.all(Array.from({ length: 10 }, async () => session.execute(testUnitReady)))
    await until(() => waiting.length === 3)
    // What was sent before a ping has come before its answer.
    await session.ping()
    assert.equal(waiting.length, 3)
    for (let done = 0; done < 10; done++) {
      await until(() => waiting.length > 0)
      const [pdu, connection] = waiting.shift()!
      connection.windowSize = 3 - waiting.length
      good(pdu, connection)
    }
    assert.equal((await results).length, 10)
  })

  test('data that is asked for, in the order and pieces it is asked for (11.8)', async () => {
    const data = Buffer.from(Array.from({ length: 3000 }, (_, i) => i))
    const received = Buffer.alloc(3000)
    let outs = 0
    await using target = await startScriptedTarget({
      wanted: { ImmediateData: false, InitialR2T: true, MaxOutstandingR2T: 2 },
      onPdu: politely((pdu, connection) => {
        const ask = (r2tSn: number, bufferOffset: number, desiredDataTransferLength: number): void =>
          connection.send(ReadyToTransfer, {
            lun: 0n,
            initiatorTaskTag: pdu.tag,
            targetTransferTag: 100 + r2tSn,
            r2tSn,
            bufferOffset,
            desiredDataTransferLength,
            ...connection.serials(false),
          })
        if (pdu.opcode === Opcode.scsiCommand) {
          assert.equal(pdu.data.length, 0)
          ask(0, 2000, 1000)
          ask(1, 0, 2000)
          return
        }
        pdu.data.copy(received, pdu.bytes.readUInt32BE(40))
        if (++outs === 2) good(pdu, connection)
      }),
    })
    await using session = await connect(target)
    await session.execute({ ...testUnitReady, dataOut: data })
    assert.deepEqual(received, data)
  })

  test('a rejected command ends with REJECTED, and the session goes on (11.17)', async () => {
    let isFirst = true
    await using target = await startScriptedTarget({
      onPdu: politely((pdu, connection) => {
        if (!isFirst) return good(pdu, connection)
        isFirst = false
        connection.send(Reject, { reason: RejectReason.invalidPduField, ...connection.serials() }, pdu.bytes.subarray(0, 48))
      }),
    })
    await using session = await connect(target)
    await assert.rejects(session.execute(testUnitReady), (error: unknown) => failed('REJECTED')(error) && /invalidPduField/.test(String(error)))
    assert.equal((await session.execute(testUnitReady)).status, 0)
  })

  test('a read that ends with less than it says is not believed', async () => {
    let attempts = 0
    await using target = await startScriptedTarget({
      onPdu: politely((pdu, connection) => {
        const bufferOffset = attempts++ === 0 ? 0 : -1
        const data = Buffer.alloc(bufferOffset === 0 ? 100 : 512, 7)
        connection.send(DataIn, { flags: finalBit, initiatorTaskTag: pdu.tag, dataSn: 0, bufferOffset: 0, ...connection.serials(false) }, data)
        good(pdu, connection)
      }),
    })
    await using session = await connect(target)
    const dataIn = Buffer.alloc(512)
    assert.equal((await session.execute({ ...testUnitReady, dataIn })).dataInBytes, 512)
    assert.equal(attempts, 2)
    assert.ok(dataIn.every(byte => byte === 7))
  })

  for (const [title, flags, bufferOffset] of [
    ['data beyond what was asked for', finalBit, 512],
    ['a Data-In that was skipped', finalBit | DataInFlags.status, 0],
  ] as const) {
    test(`${title} ends the connection`, async () => {
      await using target = await startScriptedTarget({
        onPdu: politely((pdu, connection) =>
          connection.send(
            DataIn,
            { flags, initiatorTaskTag: pdu.tag, dataSn: bufferOffset === 0 ? 1 : 0, bufferOffset, ...connection.serials((flags & 1) !== 0) },
            Buffer.alloc(512),
          ),
        ),
      })
      await using session = await connect(target, { reconnectMs: 0 })
      await assert.rejects(session.execute({ ...testUnitReady, dataIn: Buffer.alloc(512) }), failed('CONNECTION_LOST'))
    })
  }

  test('ABORT TASK names the task, and the buffers are free when it is answered (11.5)', async () => {
    let command: ScriptedPdu | undefined
    await using target = await startScriptedTarget({
      onPdu: politely((pdu, connection) => {
        if (pdu.opcode === Opcode.scsiCommand) {
          command = pdu
          return
        }
        const request = TaskManagementRequest.decode(pdu.bytes)
        assert.equal(request.flags, finalBit | 1)
        assert.equal(request.referencedTaskTag, command?.tag)
        assert.equal(request.refCmdSn, command?.cmdSn)
        connection.send(TaskManagementResponse, { response: 0, initiatorTaskTag: pdu.tag, ...connection.serials() })
      }),
    })
    await using session = await connect(target)
    const aborting = new AbortController()
    const execution = session.execute({ ...testUnitReady, signal: aborting.signal })
    await until(() => command !== undefined)
    aborting.abort(new Error('enough'))
    await assert.rejects(execution, /enough/)
  })
})

describe('what a target says unasked', () => {
  test('a ping is answered with its own tag (11.19)', async () => {
    let answer: ScriptedPdu | undefined
    await using target = await startScriptedTarget({
      onPdu: politely((pdu, connection) => {
        if (pdu.opcode === Opcode.nopOut) answer = pdu
        else {
          connection.send(NopIn, { lun: 3n, targetTransferTag: 0x1234, ...connection.serials(false) })
          good(pdu, connection)
        }
      }),
    })
    await using session = await connect(target)
    await session.execute(testUnitReady)
    await until(() => answer !== undefined)
    const { initiatorTaskTag, targetTransferTag, lun } = NopOut.decode(answer!.bytes)
    assert.deepEqual([initiatorTaskTag, targetTransferTag, lun], [reservedTag, 0x1234, 3n])
  })

  /** A target that sends an asynchronous message with the first command, and answers from then on. */
  const announcing = async (
    event: number,
    more: { readonly parameter1?: number; readonly parameter2?: number; readonly data?: Buffer } = {},
    onOther: Script['onPdu'] = () => undefined,
  ): Promise<ScriptedTarget> => {
    let isFirst = true
    return startScriptedTarget({
      onPdu: politely((pdu, connection) => {
        if (pdu.opcode !== Opcode.scsiCommand) return onOther(pdu, connection)
        if (!isFirst) return good(pdu, connection)
        isFirst = false
        const { data, ...parameters } = more
        connection.send(AsyncMessage, { event, ...parameters, ...connection.serials() }, data)
        if (event === AsyncEvent.scsi || event === AsyncEvent.negotiationRequested) good(pdu, connection)
      }),
    })
  }

  for (const [title, event] of [
    ['a logout that is asked for', AsyncEvent.logoutRequested],
    ['a connection that is dropped', AsyncEvent.connectionDrop],
    ['a session that is dropped', AsyncEvent.sessionDrop],
    ['tasks that were ended (FastAbort)', AsyncEvent.tasksTerminated],
  ] as const) {
    test(`${title}: what was under way is carried out all the same (11.9)`, async () => {
      await using target = await announcing(event)
      const events: Interruption[] = []
      await using session = await connect(target, { onInterruption: told => void events.push(told) })
      assert.equal((await session.execute(testUnitReady)).status, 0)
      assert.equal(target.connections.length, event === AsyncEvent.tasksTerminated ? 1 : 2)
      await until(() => events.length === (event === AsyncEvent.tasksTerminated ? 0 : 2))
    })
  }

  test('a SCSI event is told with its sense data', async () => {
    const sense = Buffer.from('7000060000000000', 'hex')
    await using target = await announcing(AsyncEvent.scsi, { data: SenseData.toBytes({ sense }) })
    await using session = await connect(target)
    const told: Buffer[] = []
    session.onSenseEvent = (_, bytes) => void told.push(bytes)
    await session.execute(testUnitReady)
    assert.deepEqual(told, [sense])
  })

  test('a negotiation is begun when the target wants one', async () => {
    let asked = false
    await using target = await announcing(AsyncEvent.negotiationRequested, {}, (pdu, connection) => {
      asked = pdu.opcode === Opcode.textRequest
      connection.send(TextResponse, { flags: finalBit, initiatorTaskTag: pdu.tag, ...connection.serials() })
    })
    await using session = await connect(target)
    await session.execute(testUnitReady)
    await until(() => asked)
  })

  test('what is no PDU of a target ends the connection', async () => {
    await using target = await startScriptedTarget({
      onPdu: politely((_, connection) => connection.send(NopOut, { cmdSn: 1, expStatSn: 1 })),
    })
    await using session = await connect(target, { reconnectMs: 0 })
    await assert.rejects(session.execute(testUnitReady), failed('CONNECTION_LOST'))
  })
})
