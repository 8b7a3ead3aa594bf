/** Changes to bytes: those that know nothing, and those that know an SMB2 message. */
import type { Random } from './random.ts'

/** Changes a message in place or returns another one. */
export type Mutation = (message: Buffer, random: Random) => Buffer

/** Values on the edges of what lengths, counts and offsets may be. */
const extremes: readonly number[] = [0, 1, 2, 3, 4, 7, 8, 24, 63, 64, 65, 72, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x10000]
const extremes32: readonly number[] = [...extremes, 0x00ffffff, 0x7fffffff, 0x80000000, 0xfffffff8, 0xfffffffe, 0xffffffff]

function writeExtreme(message: Buffer, at: number, random: Random): void {
  const room = message.length - at
  if (room >= 8 && random.chance(0.2)) {
    message.writeBigUInt64LE(random.pick([0n, 1n, 0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffffffffffffn, BigInt(message.length)]), at)
  } else if (room >= 4 && random.chance(0.5)) {
    message.writeUInt32LE(random.chance(0.2) ? (message.length - random.below(16)) >>> 0 : random.pick(extremes32), at)
  } else if (room >= 2) {
    message.writeUInt16LE(random.chance(0.2) ? (message.length + random.below(16) - 8) & 0xffff : random.pick(extremes) & 0xffff, at)
  }
}

/** Changes that fit any bytes. */
export const byteMutations: readonly Mutation[] = [
  function flipBits(message, random) {
    const at = random.below(message.length)
    if (message.length > 0) message[at] = (message[at] ?? 0) ^ (1 << random.below(8))
    return message
  },
  function replaceByte(message, random) {
    if (message.length > 0) message[random.below(message.length)] = random.bits()
    return message
  },
  function extremeField(message, random) {
    // Fields are aligned to two at least.
    writeExtreme(message, random.below(Math.max(1, message.length >> 1)) * 2, random)
    return message
  },
  function truncate(message, random) {
    return message.subarray(0, random.below(message.length + 1))
  },
  function extend(message, random) {
    return Buffer.concat([message, random.bytes(random.pick([1, 2, 7, 8, 64, 300]))])
  },
  function removeRange(message, random) {
    const from = random.below(message.length)
    return Buffer.concat([message.subarray(0, from), message.subarray(from + 1 + random.below(16))])
  },
  function repeatRange(message, random) {
    const from = random.below(message.length)
    const to = Math.min(message.length, from + 1 + random.below(64))
    return Buffer.concat([message.subarray(0, to), message.subarray(from)])
  },
  function fillRange(message, random) {
    const from = random.below(message.length)
    message.subarray(from, from + 1 + random.below(32)).fill(random.pick([0, 0xff, 0x41, random.bits() & 0xff]))
    return message
  },
  function overwrite(message, random) {
    const from = random.below(message.length)
    random.bytes(1 + random.below(16)).copy(message, from)
    return message
  },
]

const headerBytes = 64
/** Offset and size of the fields in an SMB2 header (MS-SMB2 2.2.1.2). */
const headerFields: readonly (readonly [at: number, bytes: number])[] = [
  [0, 4],
  [4, 2],
  [6, 2],
  [8, 4],
  [12, 2],
  [14, 2],
  [16, 4],
  [20, 4],
  [24, 8],
  [32, 4],
  [36, 4],
  [40, 8],
  [48, 8],
]

/** Changes that know where the fields of an SMB2 message are. */
export const smb2Mutations: readonly Mutation[] = [
  function headerField(message, random) {
    const [at, bytes] = random.pick(headerFields)
    if (message.length >= headerBytes) random.bytes(bytes).copy(message, at)
    return message
  },
  function otherCommand(message, random) {
    if (message.length >= headerBytes) message.writeUInt16LE(random.below(22), 12)
    return message
  },
  function flags(message, random) {
    if (message.length >= headerBytes) message.writeUInt32LE((message.readUInt32LE(16) ^ (1 << random.below(32))) >>> 0, 16)
    return message
  },
  function nextCommand(message, random) {
    if (message.length >= headerBytes) message.writeUInt32LE(random.pick([1, 4, 8, 63, 64, 72, 120, message.length, 0xfffffff8, 0xffffffff]), 20)
    return message
  },
  function structureSize(message, random) {
    if (message.length >= headerBytes + 2) message.writeUInt16LE(random.pick(extremes) & 0xffff, headerBytes)
    return message
  },
  function bodyField(message, random) {
    // The fixed part of a body has at most 56 bytes: offsets, lengths, counts, levels and ids are there.
    writeExtreme(message, headerBytes + random.below(28) * 2, random)
    return message
  },
  function bodyTail(message, random) {
    // Create contexts, lists and names lie behind the fixed part.
    const from = headerBytes + 24
    if (message.length > from) writeExtreme(message, from + random.below((message.length - from) >> 1) * 2, random)
    return message
  },
  function cutBody(message, random) {
    return message.length > headerBytes ? message.subarray(0, headerBytes + random.below(message.length - headerBytes)) : message
  },
  function swapByteOrder(message, random) {
    if (message.length >= headerBytes + 8)
      message
        .subarray(headerBytes + random.below(4) * 2)
        .subarray(0, 2)
        .reverse()
    return message
  },
]

/** Applies one to `most` changes to a copy of a message. `structured`: of an SMB2 message as well. */
export function mutate(message: Buffer, random: Random, options: { readonly structured: boolean; readonly most?: number }): Buffer {
  let result = Buffer.from(message)
  const rounds = 1 + random.below(options.most ?? 3)
  for (let round = 0; round < rounds; round++) {
    const mutation = options.structured && random.chance(0.7) ? random.pick(smb2Mutations) : random.pick(byteMutations)
    result = Buffer.from(mutation(result, random))
  }
  return result
}

/** The beginning of one message and the end of another. */
export function splice(a: Buffer, b: Buffer, random: Random): Buffer {
  return Buffer.concat([a.subarray(0, random.below(a.length + 1)), b.subarray(random.below(b.length + 1))])
}
