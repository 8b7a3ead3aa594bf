/** What initiators reach: scripts of commands against a unit, TransportIDs; and sense data, which an initiator reads. */
import assert from 'node:assert/strict'
import { MalformedError } from '@holdfast/wire'
import { memoryDevice } from '@holdfast/storage/block'
import { commands } from './commands/index.ts'
import { LogicalUnit } from './logical-unit.ts'
import { staticPortGroup } from './ports.ts'
import { decodeTransportId, iscsiTransportId } from './reservations/transport-id.ts'
import { decodeSense, encodeSense, invalidFieldInCdb } from './sense.ts'
import { Status } from './status.ts'
import { testIdentity, testNexus, TestTask } from './test-support/initiator.ts'
import type { TaskResult } from './task.ts'

/**
 * A script is a run of commands: a byte with nexus (bits 0 and 1), attribute (2 to 4) and whether the next one waits for it (7), the length of
 * the CDB, that of data-out in two bytes, the CDB, data-out.
 */
const headerBytes = 4
const waits = 0x80
const maxCommands = 24
const maxDataOutBytes = 64 * 1024
const hangMs = 5000

const nexuses = [testNexus(1), testNexus(2), testNexus(1, 2), testNexus(3)]
const statuses: ReadonlySet<number> = new Set(Object.values(Status))

/** One command of a script. */
const scriptOf = (cdb: Buffer, dataOut: Buffer = Buffer.alloc(0), flags = waits | 0x04): Buffer =>
  Buffer.concat([Buffer.from([flags, cdb.length, dataOut.length >> 8, dataOut.length & 0xff]), cdb, dataOut])

function tasksOf(script: Buffer): { readonly task: TestTask; readonly isAwaited: boolean }[] {
  const result: { task: TestTask; isAwaited: boolean }[] = []
  for (let at = 0; at + headerBytes <= script.length && result.length < maxCommands;) {
    const cdbEnd = at + headerBytes + script[at + 1]
    const end = cdbEnd + Math.min(maxDataOutBytes, script.readUInt16BE(at + 2))
    const cdb = Buffer.from(script.subarray(at + headerBytes, cdbEnd))
    // The transport gives no CDB of less than six bytes.
    if (cdb.length < 6) break
    const task = new TestTask(nexuses[script[at] & 3], cdb, { attribute: (script[at] >> 2) & 7, dataOut: Buffer.from(script.subarray(cdbEnd, end)) })
    result.push({ task, isAwaited: (script[at] & waits) !== 0 })
    at = end
  }
  return result
}

function checkResult(task: TestTask, result: TaskResult): void {
  assert.ok(statuses.has(result.status), `status ${result.status}`)
  assert.ok(Number.isSafeInteger(result.dataInBytes) && result.dataInBytes >= 0, `${result.dataInBytes} bytes of data-in`)
  assert.ok(Number.isSafeInteger(result.dataOutBytes) && result.dataOutBytes >= 0, `${result.dataOutBytes} bytes of data-out`)
  if (result.status === Status.checkCondition && !task.isAborted) decodeSense(result.sense ?? Buffer.alloc(0))
  const received = task.received.reduce((sum, { length }) => sum + length, 0)
  if (result.status === Status.good) assert.ok(received >= Math.min(result.dataInBytes, task.dataInLimitBytes), 'data-in that nobody gave')
}

/** Runs a script against a new unit. */
async function runScript(script: Buffer): Promise<void> {
  const scripted = tasksOf(script)
  if (scripted.length === 0) throw new MalformedError('script', 'no command')
  const faults: unknown[] = []
  const ports = { ...staticPortGroup([1, 2]), setState: () => {} }
  const unit = new LogicalUnit({
    device: memoryDevice({ sizeBytes: 1024 * 1024 }),
    identity: testIdentity,
    ports,
    onFault: error => faults.push(error),
  })
  for (const { attentions, nexus } of nexuses.map(each => unit.nexuses.add(each))) {
    while (attentions.take() !== undefined) unit.nexuses.refresh(unit.nexuses.stateOf(nexus))
    unit.nexuses.refresh(unit.nexuses.stateOf(nexus))
  }
  const running: Promise<void>[] = []
  for (const { task, isAwaited } of scripted) {
    assert.ok(unit.dataOutBytes(task.cdb) >= 0)
    const result = Promise.resolve(unit.execute(task)).then(value => checkResult(task, value))
    running.push(result)
    if (isAwaited) await inTime(result)
  }
  await inTime(Promise.all(running))
  assert.equal(unit.pendingTasks, 0)
  unit.close()
  if (faults.length > 0) throw faults[0]
}

/** Rejects when something hangs. */
async function inTime(work: Promise<unknown>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`nothing came for ${hangMs} ms`)), hangMs)
  try {
    await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Each command with nothing set, with everything set that it knows, and with a little data. */
const scripts: readonly Buffer[] = commands.flatMap(({ usage, opcode, serviceAction }) => {
  const everything = Buffer.from(usage.replaceAll(' ', ''), 'hex')
  const nothing = Buffer.alloc(everything.length)
  nothing[0] = opcode
  if (opcode === 0x7f) everything.copy(nothing, 7, 7, 10)
  else nothing[1] = serviceAction ?? 0
  const data = Buffer.alloc(512, 0)
  return [scriptOf(nothing), scriptOf(everything), scriptOf(nothing, data), scriptOf(everything, data)]
})

/** Longer ones: registering, reserving, preempting; mode pages. */
function stories(): Buffer[] {
  const list = (key: number, serviceActionKey: number): Buffer => {
    const result = Buffer.alloc(24)
    result.writeBigUInt64BE(BigInt(key))
    result.writeBigUInt64BE(BigInt(serviceActionKey), 8)
    return result
  }
  const out = (action: number, type: number, nexus: number, data: Buffer): Buffer =>
    scriptOf(Buffer.from([0x5f, action, type, 0, 0, 0, 0, 0, data.length, 0]), data, waits | 0x04 | nexus)
  const read = (nexus: number): Buffer => scriptOf(Buffer.from('28000000000000000800', 'hex'), Buffer.alloc(0), 0x04 | nexus)
  const write = (nexus: number): Buffer => scriptOf(Buffer.from('2a000000000000000100', 'hex'), Buffer.alloc(512, 0x61), 0x08 | nexus)
  const id = iscsiTransportId('iqn.2026-11.example:host9', Buffer.alloc(6))
  const specified = Buffer.concat([list(0, 1), Buffer.from([0, 0, 0, id.length]), id])
  specified[20] = 0x0d
  const move = Buffer.concat([list(1, 5), id])
  move[19] = 1
  move[23] = id.length
  const control = Buffer.from('00000000 0a0a020000080000ffff0000'.replaceAll(' ', ''), 'hex')
  return [
    Buffer.concat([out(0, 0, 0, list(0, 1)), out(0, 0, 1, list(0, 2)), out(1, 3, 0, list(1, 0)), read(1), out(5, 1, 1, list(2, 1)), read(0)]),
    Buffer.concat([out(0, 0, 0, specified), out(1, 8, 0, list(1, 0)), write(1), out(2, 8, 0, list(1, 0)), write(1)]),
    Buffer.concat([out(6, 0, 0, list(0, 1)), out(1, 5, 0, list(1, 0)), out(7, 0, 0, move), read(0), out(3, 0, 0, list(1, 0))]),
    Buffer.concat([scriptOf(Buffer.from('151000001000', 'hex'), control), write(0), read(1), scriptOf(Buffer.from('1a003fffff00', 'hex'))]),
    Buffer.concat([scriptOf(Buffer.from('160000000000', 'hex')), write(0), read(1), scriptOf(Buffer.from('170000000000', 'hex'), undefined, 0x0d)]),
  ]
}

/** By name. */
export const decoders: Readonly<Record<string, { readonly decode: (bytes: Buffer) => unknown; readonly seeds: readonly Buffer[] }>> = {
  'one command': { decode: runScript, seeds: scripts },
  'several commands': { decode: runScript, seeds: stories() },
  'sense data': {
    decode: decodeSense,
    seeds: [encodeSense(invalidFieldInCdb(1, 0), false), encodeSense(invalidFieldInCdb(1, 0), true)],
  },
  TransportID: { decode: decodeTransportId, seeds: [iscsiTransportId('iqn.2026-11.example:a', Buffer.alloc(6))] },
}
