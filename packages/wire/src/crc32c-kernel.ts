/**
 * CRC32C of long runs of bytes, as a WebAssembly module that is put together here.
 *
 * JavaScript has no instruction for CRC32C, and neither has WebAssembly: tables give about a byte in a cycle. What makes it fast is to make the
 * message short first. If T(x) is a multiple of the polynomial, then so is T(x^128) (squaring seven times), and a message keeps its remainder when a
 * multiple is added to it: the first 16 bytes are cleared by adding them to those places behind them that T has terms for. With a T of few
 * terms that is a few loads and exclusive ors for 16 bytes, and what is left in the end is a message as long as T, for the tables.
 */

/** Exponents of a multiple of the polynomial with ten terms, of degree 52: the lowest degree that has one. */
export const shortMultiple: readonly number[] = [0, 2, 10, 21, 25, 27, 32, 40, 50, 52]
/** The same with six terms, of degree 209. */
export const longMultiple: readonly number[] = [0, 14, 39, 54, 144, 209]

const blockBytes = 16
/** Blocks that the main loop clears in one turn. */
const unrolled = 2
const degreeOf = (multiple: readonly number[]): number => multiple[multiple.length - 1]

/** Bytes that the fold by a multiple leaves at least. */
export const foldedBytes = (multiple: readonly number[]): number => degreeOf(multiple) * blockBytes
/** Bytes that one turn of its main loop clears. */
export const turnBytes = unrolled * blockBytes

/** Streams that the tables work on at a time: one alone would wait for each lookup. */
const streams = 4
/** Bytes that `remainder` takes: what the fold by the short multiple leaves. */
export const remainderBytes = foldedBytes(shortMultiple)
const streamBytes = remainderBytes / streams

/** Where things lie in the module's memory: eight tables for eight bytes, four for a shift by a stream, zeros before the data, the data. */
export const memoryLayout = { tables: 0, shift: 8192, data: 16_384, dataBytes: 65_536 } as const
const pageBytes = 65_536

/** Unsigned and signed LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}
function signed(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)]
}

type Code = readonly number[]
const sequence = (...parts: readonly Code[]): number[] => parts.flat()
const many = <T>(items: Iterable<T>, each: (item: T, index: number) => Code): number[] => Array.from(items, each).flat()

// Instructions. Each takes its operands as code before it.
const get = (local: number): Code => [0x20, ...unsigned(local)]
const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)]
const constant = (value: number): Code => [0x41, ...signed(value)]
const binary =
  (opcode: number) =>
  (a: Code, b: Code): Code => [...a, ...b, opcode]
const add = binary(0x6a)
const and = binary(0x71)
const xor = binary(0x73)
const shiftLeft = binary(0x74)
const shiftRight = binary(0x76)
const isBelow = binary(0x49)
const load = (address: Code, offset: number): Code => [...address, 0x28, 2, ...unsigned(offset)]
const loadByte = (address: Code, offset: number): Code => [...address, 0x2d, 0, ...unsigned(offset)]
const vectorLoad = (address: Code, offset: number): Code => [...address, 0xfd, 0x00, 4, ...unsigned(offset)]
const vectorStore = (address: Code, offset: number, value: Code): Code => [...address, ...value, 0xfd, 0x0b, 4, ...unsigned(offset)]
const vectorXor = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0x51]
const increase = (local: number, by: number): Code => set(local, add(get(local), constant(by)))
/** Runs `body` while `condition` holds. */
const loopWhile = (condition: Code, body: Code): Code => sequence([0x02, 0x40, 0x03, 0x40], condition, [0x45, 0x0d, 1], body, [0x0c, 0, 0x0b, 0x0b])

/**
 * fold(from, to): clears the blocks from `from` to `to`, a whole number of turns, by adding them to those behind. The memory before `from` must hold
 * zeros for as many blocks as the degree. Written from the side of who receives: each block takes in what was cleared before it.
 */
function fold(multiple: readonly number[]): Code {
  const degree = degreeOf(multiple)
  const distances = multiple.map(exponent => degree - exponent).filter(distance => distance > 0)
  const [at, to] = [0, 1]
  // Offsets cannot be negative: `at` is held back by the degree.
  const base = degree * blockBytes
  const receive = (senders: readonly number[], block: number): Code => {
    const offset = base + block * blockBytes
    const sum = senders.reduce<Code>(
      (acc, distance) => vectorXor(acc, vectorLoad(get(at), offset - distance * blockBytes)),
      vectorLoad(get(at), offset),
    )
    return vectorStore(get(at), offset, sum)
  }
  const main = loopWhile(
    isBelow(get(at), get(to)),
    sequence(
      many(Array(unrolled), (_, block) => receive(distances, block)),
      increase(at, turnBytes),
    ),
  )
  // Behind `to` a block receives from those only that were cleared: the farther it is, the fewer.
  const nearest = [...distances].sort((a, b) => a - b)
  const rest = many(nearest, (distance, i) => {
    const blocks = distance - (nearest[i - 1] ?? 0)
    const senders = nearest.slice(i)
    return sequence(increase(to, blocks * blockBytes), loopWhile(isBelow(get(at), get(to)), sequence(receive(senders, 0), increase(at, blockBytes))))
  })
  const holdBack = many([at, to], local => increase(local, -base))
  return sequence(holdBack, main, rest)
}

/** Offset in a table of the entry for a byte of a local. */
const entry = (local: number, byte: number): Code =>
  and(byte === 0 ? shiftLeft(get(local), constant(2)) : shiftRight(get(local), constant(8 * byte - 2)), constant(0x3fc))
/** Lookups for the four bytes of a local, in the tables that `tableOf` says. */
const lookups = (local: number, tableOf: (byte: number) => number): Code =>
  [1, 2, 3].reduce<Code>((acc, byte) => xor(acc, load(entry(local, byte), tableOf(byte))), load(entry(local, 0), tableOf(0)))

/** Takes eight bytes at `at` + `offset` into the CRC in local `crc`; `low` and `high` are for its use. */
function eightBytes({ at, offset, crc, low, high }: Readonly<Record<'at' | 'offset' | 'crc' | 'low' | 'high', number>>): Code {
  const table = (index: number): number => memoryLayout.tables + index * 1024
  return sequence(
    set(low, xor(load(get(at), offset), get(crc))),
    set(high, load(get(at), offset + 4)),
    set(
      crc,
      xor(
        lookups(low, byte => table(7 - byte)),
        lookups(high, byte => table(3 - byte)),
      ),
    ),
  )
}

/** remainder(from) -> CRC of the `remainderBytes` there, without inversions: in streams side by side, joined by shifts. */
function remainder(): Code {
  const [at, to, low, high] = [0, 1, 2, 3]
  const crcs = Array.from({ length: streams }, (_, i) => 4 + i)
  const joined = sequence(
    ...crcs.slice(1).map((crc, i) =>
      set(
        crc,
        xor(
          get(crc),
          lookups(crcs[i], byte => memoryLayout.shift + byte * 1024),
        ),
      ),
    ),
    get(crcs[streams - 1]),
  )
  return sequence(
    set(to, add(get(at), constant(streamBytes))),
    loopWhile(
      isBelow(get(at), get(to)),
      sequence(
        many(crcs, (crc, i) => eightBytes({ at, offset: i * streamBytes, crc, low, high })),
        increase(at, 8),
      ),
    ),
    joined,
  )
}

/** plain(from, to, crc) -> CRC of the bytes there, without inversions. */
function plain(): Code {
  const [at, to, crc, low, high] = [0, 1, 2, 3, 4]
  return sequence(
    loopWhile(isBelow(add(get(at), constant(7)), get(to)), sequence(eightBytes({ at, offset: 0, crc, low, high }), increase(at, 8))),
    loopWhile(
      isBelow(get(at), get(to)),
      sequence(
        set(low, xor(get(crc), loadByte(get(at), 0))),
        set(crc, xor(shiftRight(get(crc), constant(8)), load(entry(low, 0), memoryLayout.tables))),
        increase(at, 1),
      ),
    ),
    get(crc),
  )
}

/** As much of WebAssembly as is used: TypeScript knows it only with the types of browsers. */
declare const WebAssembly: {
  validate(bytes: Uint8Array): boolean
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: object }
}

const i32 = 0x7f
const section = (id: number, ...items: readonly Code[]): Code => {
  const content = [...unsigned(items.length), ...items.flat()]
  return [id, ...unsigned(content.length), ...content]
}
const text = (value: string): Code => [value.length, ...Buffer.from(value)]

/** The functions: name, parameters, results, further locals, code. */
const functions = [
  { name: 'foldShort', parameters: 2, results: 0, locals: 0, code: fold(shortMultiple) },
  { name: 'foldLong', parameters: 2, results: 0, locals: 0, code: fold(longMultiple) },
  { name: 'remainder', parameters: 1, results: 1, locals: 3 + streams, code: remainder() },
  { name: 'plain', parameters: 3, results: 1, locals: 2, code: plain() },
] as const

/** `\0asm`, version 1. */
const magic: Code = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

function moduleBytes(): Uint8Array {
  const pages = Math.ceil((memoryLayout.data + memoryLayout.dataBytes) / pageBytes)
  const types = functions.map(f => [0x60, f.parameters, ...Array<number>(f.parameters).fill(i32), f.results, ...Array<number>(f.results).fill(i32)])
  const exported = [...functions.map(({ name }, i) => [...text(name), 0, i]), [...text('memory'), 2, 0]]
  const bodies = functions.map(({ locals, code }) => {
    const body = [...(locals === 0 ? [0] : [1, locals, i32]), ...code, 0x0b]
    return [...unsigned(body.length), ...body]
  })
  return Uint8Array.from([
    ...magic,
    ...section(1, ...types),
    ...section(3, ...functions.map((_, i) => [i])),
    ...section(5, [0, ...unsigned(pages)]),
    ...section(7, ...exported),
    ...section(10, ...bodies),
  ])
}

/** What the module exports. */
export interface Crc32cKernel {
  readonly memory: { readonly buffer: ArrayBuffer }
  foldShort(from: number, to: number): void
  foldLong(from: number, to: number): void
  remainder(from: number): number
  plain(from: number, to: number, crc: number): number
}

/**
 * Instantiates the module, with `tables` of eight times 256 entries in its memory; undefined where there is no WebAssembly with SIMD (an old
 * processor, `--jitless`).
 */
export function instantiateKernel(tables: Uint32Array): Crc32cKernel | undefined {
  if (!('WebAssembly' in globalThis)) return undefined
  const bytes = moduleBytes()
  if (!WebAssembly.validate(bytes)) return undefined
  const kernel = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Crc32cKernel
  const words = new Uint32Array(kernel.memory.buffer)
  words.set(tables, memoryLayout.tables / 4)
  words.set(shiftTables(tables), memoryLayout.shift / 4)
  return kernel
}

/** Tables that shift a CRC by the bytes of a stream: the CRC of its four bytes with zeros behind. */
function shiftTables(tables: Uint32Array): Uint32Array {
  const shift = new Uint32Array(4 * 256)
  for (let i = 0; i < shift.length; i++) {
    let crc = (i & 0xff) << (8 * (i >>> 8))
    for (let count = 0; count < streamBytes; count++) crc = (crc >>> 8) ^ tables[crc & 0xff]
    shift[i] = crc
  }
  return shift
}
