/**
 * `node bench/wire.ts`: what a struct table costs beside code written by hand and beside the npm package `binary-parser` (when it can be
 * found; `NODE_PATH` helps). Nanoseconds per operation: the median of rounds in which all contenders take turns, and the ratio to
 * hand-written DataView code as min/median/max over the rounds.
 *
 *     node bench/wire.ts [--rounds 15] [--times 300000]
 */
import { createRequire } from 'node:module'
import { CreateRequest, Header, headerSize } from '@holdfast/smb/messages'
import { interpreted } from '@holdfast/wire'
import { parseOptions } from '../testing/run/options.ts'

/** Does the thing with the message of this number: taking turns keeps the compiler from knowing addresses and values in advance. */
type Operation = (turn: number) => unknown

const variants = 16
const createValue = {
  desiredAccess: 0x12_0089,
  shareAccess: 7,
  createDisposition: 1,
  name: 'folder\\another folder\\file.txt',
  createContexts: Buffer.alloc(56, 1),
}
const createBody = CreateRequest.toBytes(createValue)
const slot = 512
/** As in a server: messages are views of one big buffer, with distances that nothing is aligned to. */
const arena = Buffer.alloc(variants * slot)
const createMessages = Array.from({ length: variants }, (_, i) => {
  const message = arena.subarray(i * slot + 4, i * slot + 4 + headerSize + createBody.length)
  Header.encode(
    { creditCharge: 1, command: 5, credits: 32, flags: 8, messageId: BigInt(7 + i), processId: 0xfeff, treeId: 5, sessionId: 0x8000_0000_0000_000cn },
    message,
  )
  createBody.copy(message, headerSize)
  return message
})
const headers = createMessages.map(message => message.subarray(0, headerSize))
const headerValues = headers.map(bytes => Header.decode(bytes))
const createValues = createMessages.map(message => CreateRequest.decode(message, headerSize))
const targetArena = Buffer.alloc(variants * slot)
const targets = headers.map((_, i) => targetArena.subarray(i * slot + 4, (i + 1) * slot))
/** For hand-written code that keeps a DataView of the whole arena. */
const arenaView = new DataView(arena.buffer, arena.byteOffset, arena.length)
const targetView = new DataView(targetArena.buffer, targetArena.byteOffset, targetArena.length)

/** As one would write it by hand; the checks are those that the table makes. */
function decodeHeaderByHand(b: Buffer, at: number, view: DataView = new DataView(b.buffer, b.byteOffset + at, 64), o = 0) {
  if (b.length - at < 64) throw new Error('truncated')
  if (view.getUint32(o, true) !== 0x424d_53fe || view.getUint16(o + 4, true) !== 64) throw new Error('mismatch')
  return {
    creditCharge: view.getUint16(o + 6, true),
    status: view.getUint32(o + 8, true),
    command: view.getUint16(o + 12, true),
    credits: view.getUint16(o + 14, true),
    flags: view.getUint32(o + 16, true),
    nextCommand: view.getUint32(o + 20, true),
    messageId: view.getBigUint64(o + 24, true),
    processId: view.getUint32(o + 32, true),
    treeId: view.getUint32(o + 36, true),
    sessionId: view.getBigUint64(o + 40, true),
  }
}

function encodeHeaderByHand(value: Header, b: Buffer, at: number, view: DataView = new DataView(b.buffer, b.byteOffset + at, 64), o = 0): number {
  view.setUint32(o, 0x424d_53fe, true)
  view.setUint16(o + 4, 64, true)
  view.setUint16(o + 6, value.creditCharge, true)
  view.setUint32(o + 8, value.status, true)
  view.setUint16(o + 12, value.command, true)
  view.setUint16(o + 14, value.credits, true)
  view.setUint32(o + 16, value.flags, true)
  view.setUint32(o + 20, value.nextCommand, true)
  view.setBigUint64(o + 24, value.messageId, true)
  view.setUint32(o + 32, value.processId, true)
  view.setUint32(o + 36, value.treeId, true)
  view.setBigUint64(o + 40, value.sessionId, true)
  view.setBigUint64(o + 48, 0n, true)
  view.setBigUint64(o + 56, 0n, true)
  return at + 64
}

function decodeCreateByHand(b: Buffer, at: number) {
  const view = new DataView(b.buffer, b.byteOffset + at, b.length - at)
  if (view.getUint16(0, true) !== 57) throw new Error('mismatch')
  const origin = at - headerSize
  const name = origin + view.getUint16(44, true)
  const nameLength = view.getUint16(46, true)
  const contexts = origin + view.getUint32(48, true)
  const contextsLength = view.getUint32(52, true)
  if (name < at + 56 || name + nameLength > b.length || contexts < at + 56 || contexts + contextsLength > b.length) throw new Error('bounds')
  return {
    requestedOplockLevel: view.getUint8(3),
    impersonationLevel: view.getUint32(4, true),
    desiredAccess: view.getUint32(24, true),
    fileAttributes: view.getUint32(28, true),
    shareAccess: view.getUint32(32, true),
    createDisposition: view.getUint32(36, true),
    createOptions: view.getUint32(40, true),
    name: b.toString('utf16le', name, name + nameLength),
    createContexts: b.subarray(contexts, contexts + contextsLength),
  }
}

function encodeCreateByHand(value: CreateRequest, b: Buffer, at: number): number {
  const view = new DataView(b.buffer, b.byteOffset + at, b.length - at)
  const nameLength = value.name.length * 2
  const contexts = (headerSize + 56 + nameLength + 7) & -8
  view.setUint32(0, 57, true)
  view.setUint8(3, value.requestedOplockLevel)
  view.setUint32(4, value.impersonationLevel, true)
  view.setBigUint64(8, 0n, true)
  view.setBigUint64(16, 0n, true)
  view.setUint32(24, value.desiredAccess, true)
  view.setUint32(28, value.fileAttributes, true)
  view.setUint32(32, value.shareAccess, true)
  view.setUint32(36, value.createDisposition, true)
  view.setUint32(40, value.createOptions, true)
  view.setUint16(44, headerSize + 56, true)
  view.setUint16(46, nameLength, true)
  view.setUint32(48, contexts, true)
  view.setUint32(52, value.createContexts.length, true)
  b.write(value.name, at + 56, 'utf16le')
  b.fill(0, at + 56 + nameLength, at - headerSize + contexts)
  b.set(value.createContexts, at - headerSize + contexts)
  return at - headerSize + contexts + value.createContexts.length
}

/** What is used of `binary-parser`, which has no types of its own that fit ours. */
interface BinaryParser {
  endianness(order: 'little'): BinaryParser
  uint8(name: string): BinaryParser
  uint16(name: string): BinaryParser
  uint32(name: string): BinaryParser
  uint64(name: string): BinaryParser
  seek(bytes: number | ((this: never) => number)): BinaryParser
  buffer(name: string, options: object): BinaryParser
  parse(bytes: Buffer): unknown
}

const utf16 = new TextDecoder('utf-16le')

function binaryParser(): { header: Operation; create: Operation } | undefined {
  let Parser: new () => BinaryParser
  try {
    ;({ Parser } = createRequire(import.meta.url)('binary-parser') as { Parser: new () => BinaryParser })
  } catch {
    console.log('binary-parser is not installed: no figures for it')
    return undefined
  }
  const header = new Parser()
    .endianness('little')
    .uint32('protocolId')
    .uint16('structureSize')
    .uint16('creditCharge')
    .uint32('status')
    .uint16('command')
    .uint16('credits')
  header.uint32('flags').uint32('nextCommand').uint64('messageId').uint32('processId').uint32('treeId').uint64('sessionId').seek(16)
  const create = new Parser()
    .endianness('little')
    .uint16('structureSize')
    .seek(1)
    .uint8('requestedOplockLevel')
    .uint32('impersonationLevel')
    .seek(16)
    .uint32('desiredAccess')
  create.uint32('fileAttributes').uint32('shareAccess').uint32('createDisposition').uint32('createOptions').uint16('nameOffset').uint16('nameLength')
  create
    .uint32('contextsOffset')
    .uint32('contextsLength')
    .buffer('name', { length: 'nameLength', clone: false, formatter: (bytes: Uint8Array) => utf16.decode(bytes) })
  // Only the padding of this very message, which flatters it.
  create
    .seek(createBody.readUInt32LE(48) - headerSize - 56 - createValue.name.length * 2)
    .buffer('contexts', { length: 'contextsLength', clone: false })
  const bodies = createMessages.map(message => message.subarray(headerSize))
  return { header: turn => header.parse(headers[turn]), create: turn => create.parse(bodies[turn]) }
}

const others = binaryParser()
const slowHeader = interpreted(Header)

/** The first contender is what the others are compared with. */
const cases: readonly { readonly name: string; readonly contenders: Readonly<Record<string, Operation>> }[] = [
  {
    name: 'decode header',
    contenders: {
      'by hand': turn => decodeHeaderByHand(headers[turn], 0),
      'by hand, view kept': turn => decodeHeaderByHand(headers[turn], 0, arenaView, headers[turn].byteOffset - arena.byteOffset),
      table: turn => Header.decode(headers[turn]),
      interpreter: turn => slowHeader.decode(headers[turn]),
      ...(others && { 'binary-parser': others.header }),
    },
  },
  {
    name: 'encode header',
    contenders: {
      'by hand': turn => encodeHeaderByHand(headerValues[turn], targets[turn], 0),
      'by hand, view kept': turn =>
        encodeHeaderByHand(headerValues[turn], targets[turn], 0, targetView, targets[turn].byteOffset - targetArena.byteOffset),
      table: turn => Header.encode(headerValues[turn], targets[turn]),
      interpreter: turn => slowHeader.encode(headerValues[turn], targets[turn]),
    },
  },
  {
    name: 'decode CREATE request',
    contenders: {
      'by hand': turn => decodeCreateByHand(createMessages[turn], headerSize),
      table: turn => CreateRequest.decode(createMessages[turn], headerSize),
      ...(others && { 'binary-parser': others.create }),
    },
  },
  {
    name: 'encode CREATE request',
    contenders: {
      'by hand': turn => encodeCreateByHand(createValues[turn], targets[turn], headerSize),
      table: turn => CreateRequest.encode(createValues[turn], targets[turn], headerSize),
    },
  },
]

let kept: unknown

/** A loop of its own for each contender, so that what one does to the call site is not the other's cost. */
function loopOf(operation: Operation): (times: number) => number {
  const make = new Function(
    'operation',
    'keep',
    'return times => { let last; for (let i = 0; i < times; i++) last = operation(i & 15); keep(last) }',
  ) as (operation: Operation, keep: (value: unknown) => void) => (times: number) => void
  const loop = make(operation, value => (kept = value))
  return times => {
    const begin = performance.now()
    loop(times)
    return ((performance.now() - begin) * 1e6) / times
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]

const { values: options } = parseOptions(import.meta.url, {
  options: { rounds: { type: 'string', default: '15' }, times: { type: 'string', default: '300000' } },
})

for (const { name, contenders } of cases) {
  const loops = Object.entries(contenders).map(([contender, operation]) => ({ contender, run: loopOf(operation), ns: [] as number[] }))
  for (const { run } of loops) run(Number(options.times))
  for (let round = 0; round < Number(options.rounds); round++) for (const { run, ns } of loops) ns.push(run(Number(options.times)))
  const base = loops[0].ns
  for (const { contender, ns } of loops) {
    const ratios = ns.map((value, i) => value / base[i])
    const figures = [Math.min(...ratios), median(ratios), Math.max(...ratios)].map(ratio => ratio.toFixed(2)).join(' / ')
    console.log(`${name.padEnd(24)}${contender.padEnd(20)}${median(ns).toFixed(1).padStart(8)} ns   ${figures}`)
  }
}
if (kept === undefined) throw new Error('nothing was measured')
