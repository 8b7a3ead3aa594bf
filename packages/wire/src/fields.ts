/**
 * Fields: the lines of a layout's table. A plain kind is a field; the functions here make the others.
 * What a table's value looks like in TypeScript is inferred (`Infer`, `Input`).
 */
import type { AnyKind, Kind } from './kinds.ts'

/** A field that isn't part of the value: it is constant, ignored, or computed from a variable part. */
export type Computed =
  | { readonly role: 'fixed'; readonly kind: AnyKind; readonly value: unknown; readonly tolerate: boolean }
  | { readonly role: 'reserved'; readonly kind: AnyKind }
  | { readonly role: 'offset'; readonly kind: Kind<number>; readonly target: string; readonly base: number | undefined }
  | { readonly role: 'length' | 'count'; readonly kind: Kind<number>; readonly target: string }

/** How a variable part lies behind the fixed fields. */
export interface TailOptions {
  /** Alignment in bytes, relative to where offsets count from (the struct's `base`). Default 1. */
  readonly align?: number
  /** What the offset field says when there are no bytes: where they would be (default), or zero. */
  readonly emptyOffset?: 'position' | 'zero'
  /** Zero bytes that follow and no length counts. Default 0. */
  readonly terminatorBytes?: number
  /** Goes on to the end of the message; there is no length or count field. */
  readonly rest?: boolean
}

/** A variable part behind the fixed fields. */
export interface Tail<Out, In = Out> {
  readonly role: 'tail'
  readonly type: 'data' | 'utf16' | 'array'
  readonly element: AnyKind | undefined
  readonly options: TailOptions
  /** Only for inference. */
  readonly decoded?: Out
  readonly given?: In
}

/** A field that may be left out when encoding. */
export interface Defaulted<F, In> {
  readonly role: 'default'
  readonly field: F
  readonly value: In
}

// oxlint-disable-next-line typescript/no-explicit-any -- see AnyKind
export type AnyTail = Tail<any, any>
/** A line of a table. */
// oxlint-disable-next-line typescript/no-explicit-any -- see AnyKind
export type Field = AnyKind | Computed | AnyTail | Defaulted<AnyKind | AnyTail, any>
/** A table: fields by name, in the order on the wire. */
export type Fields = Readonly<Record<string, Field>>

type Decoded<F> =
  F extends Kind<infer O, infer _I> ? O : F extends Tail<infer O, infer _I> ? O : F extends Defaulted<infer G, infer _I> ? Decoded<G> : never
type Given<F> =
  F extends Kind<infer _O, infer I> ? I : F extends Tail<infer _O, infer I> ? I : F extends Defaulted<infer G, infer _I> ? Given<G> : never
type ValueKeys<F> = { [K in keyof F]: F[K] extends Computed ? never : K }[keyof F]
type DefaultKeys<F> = { [K in keyof F]: F[K] extends { readonly role: 'default' } ? K : never }[keyof F]
type Flat<T> = { [K in keyof T]: T[K] }

/** What decoding a table of these fields gives: without constant, reserved and computed fields. */
export type DecodedFields<F> = { readonly [K in ValueKeys<F>]: Decoded<F[K]> }
/** What encoding them accepts. */
export type GivenFields<F> = Flat<
  { readonly [K in Exclude<ValueKeys<F>, DefaultKeys<F>>]: Given<F[K]> } & { readonly [K in DefaultKeys<F>]?: Given<F[K]> | undefined }
>

/** Stands for bytes that are (or will be put) in their place in the output buffer already: counted, not copied. */
export class InPlace {
  readonly byteLength: number
  constructor(lengthBytes: number) {
    this.byteLength = lengthBytes
  }
}

/** A data part of this length whose bytes the caller places itself, e.g. a READ payload read straight into the response. */
export const inPlace = (lengthBytes: number): InPlace => new InPlace(lengthBytes)

/** A constant: written as it is; anything else when read is malformed (`fixed-mismatch`), unless `tolerate`. */
export function fixed<T>(kind: Kind<T>, value: NoInfer<T>, options: { readonly tolerate?: boolean } = {}): Computed & { readonly role: 'fixed' } {
  return { role: 'fixed', kind, value, tolerate: options.tolerate ?? false }
}

/** Written as zeros, ignored when read, absent from the value. */
export function reserved(kind: AnyKind): Computed & { readonly role: 'reserved' } {
  return { role: 'reserved', kind }
}

/** Where the variable part `target` begins; counts from the struct's base unless it has its own. */
export function offsetOf(target: string, kind: Kind<number>, options: { readonly base?: number } = {}): Computed & { readonly role: 'offset' } {
  return { role: 'offset', kind, target, base: options.base }
}

/** How many bytes the variable part `target` has. */
export function lengthOf(target: string, kind: Kind<number>): Computed & { readonly role: 'length' | 'count' } {
  return { role: 'length', kind, target }
}

/** How many elements the array `target` has. */
export function countOf(target: string, kind: Kind<number>): Computed & { readonly role: 'length' | 'count' } {
  return { role: 'count', kind, target }
}

/** Bytes: a view when decoded (empty for length zero, whatever the offset says), copied or already in place when encoded. */
export function data(options: TailOptions = {}): Tail<Buffer, Uint8Array | InPlace> {
  return { role: 'tail', type: 'data', element: undefined, options }
}

/** UTF-16LE text; lengths are in bytes and even. Unpaired surrogates survive both ways. */
export function utf16(options: TailOptions = {}): Tail<string> {
  return { role: 'tail', type: 'utf16', element: undefined, options }
}

/** Elements of a fixed size: integers or structs without a variable part. Counted by `countOf`, measured by `lengthOf`, or `rest`. */
export function array<Out, In>(element: Kind<Out, In>, options: TailOptions = {}): Tail<readonly Out[], readonly In[]> {
  return { role: 'tail', type: 'array', element, options }
}

/** All bytes up to the end of the message. */
export function rest(options: Omit<TailOptions, 'rest'> = {}): Tail<Buffer, Uint8Array | InPlace> {
  return data({ ...options, rest: true })
}

/** May be left out when encoding and is `value` then. */
export function withDefault<Out, In, F extends Kind<Out, In> | Tail<Out, In>>(
  field: F & (Kind<Out, In> | Tail<Out, In>),
  value: NoInfer<In>,
): Defaulted<F, In> {
  return { role: 'default', field, value }
}
