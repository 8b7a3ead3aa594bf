/**
 * A struct: a table of fields with its codec.
 *
 *     export const EchoRequest = struct('SMB2 ECHO Request', {
 *       structureSize: fixed(u16, 4),
 *       reserved: reserved(u16),
 *     })
 *     export type EchoRequest = Infer<typeof EchoRequest>
 */
import type { Codec } from './codec.ts'
import { compile } from './compile.ts'
import type { DecodedFields, Fields, GivenFields } from './fields.ts'
import { interpret } from './interpret.ts'
import type { AnyKind, Kind, Use } from './kinds.ts'
import { layOut } from './plan.ts'
import type { StructOptions } from './plan.ts'

/**
 * A layout, compiled. `Out` is what decoding gives, `In` what encoding accepts. One without variable parts is a
 * kind and may be a field or an array's element. Decoding throws MalformedError with code `truncated`, `fixed-mismatch`, `out-of-bounds`,
 * `bad-length` or `unsafe-integer`.
 */
export interface Struct<Out, In = Out> extends Kind<Out, In>, Codec<Out, In> {
  /** Bytes of the fixed part. */
  readonly fixedSize: number
  readonly fields: Fields
  readonly options: StructOptions
  /** True when generated code is used, false for the interpreter. */
  readonly compiled: boolean
}

/** What decoding gives: `type Header = Infer<typeof Header>`. */
export type Infer<S> = S extends { decode(bytes: Buffer): infer Out } ? Out : never
/** What encoding accepts: without constant, reserved and computed fields, and with defaults left out at will. */
export type Input<S> = S extends { toBytes(value: infer In): Buffer } ? In : never

/**
 * Makes a struct of a table, whose order is the order on the wire: fixed fields first, then the variable parts.
 *
 * @example
 * const Echo = struct('Echo', { structureSize: fixed(u16, 8), nameLength: lengthOf('name', u16), id: u32, name: utf16() })
 * const bytes = Echo.toBytes({ id: 7, name: 'hi' })
 * toHex(bytes) // => '08000400 07000000 68006900'
 * Echo.decode(bytes) // => { id: 7, name: 'hi' }
 */
export function struct<const F extends Fields>(name: string, fields: F, options: StructOptions = {}): Struct<DecodedFields<F>, GivenFields<F>> {
  const plan = layOut(name, fields, options)
  const generated = options.compile === false ? undefined : compile(plan)
  const codec = generated ?? interpret(plan)
  type Out = DecodedFields<F>
  type In = GivenFields<F>
  const { decode, encode, encodedLength } = codec as Pick<Struct<Out, In>, 'decode' | 'encode' | 'encodedLength'>
  return Object.freeze({
    role: 'kind' as const,
    kind: name,
    name,
    // As a kind: -1 says that it can't be a field of another struct.
    size: plan.tail.length === 0 ? plan.size : -1,
    fixedSize: plan.size,
    fields: Object.freeze({ ...fields }),
    options,
    compiled: generated !== undefined,
    decode,
    encode,
    encodedLength,
    toBytes(value: In): Buffer {
      const bytes = Buffer.allocUnsafe(encodedLength(value))
      encode(value, bytes, 0)
      return bytes
    },
    read: (b: Buffer, at: number) => decode(b, at),
    write: (b: Buffer, at: number, value: In) => void encode(value, b, at),
    readCode: (at: string, use: Use) => `${use(decode)}(b, ${at})`,
    writeCode: (at: string, value: string, use: Use) => `${use(encode)}(${value}, b, ${at})`,
  })
}

/** The same layout without generated code, for tests; fields that are structs are interpreted as well. */
export function interpreted<Out, In>(original: Struct<Out, In>): Struct<Out, In> {
  return struct(original.name, original.fields, { ...original.options, compile: false }) as unknown as Struct<Out, In>
}

/** True for a kind that is a struct. */
export function isStruct(kind: AnyKind): kind is Struct<unknown> {
  return 'fixedSize' in kind
}
