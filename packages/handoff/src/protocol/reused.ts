/**
 * Values that are used again for each message: a table's `decode` makes an object and a view for each field of bytes, and a hand-off has no time for garbage. What is read is
 * copied into the one value there is.
 */
import type { Field, Struct } from '@holdfast/wire'

/** Where a field of a layout is, and how to read it. */
export interface Placed {
  readonly name: string
  readonly at: number
  readonly kind: { readonly kind: string; readonly size: number; read(b: Buffer, at: number): unknown; readCode(at: string, use: Use): string }
}

type Use = (value: unknown) => string
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** One value of a layout, and how to fill it from bytes. */
export interface Reused<T> {
  /** The same object each time. Its fields of bytes are its own. */
  readonly value: Mutable<T>
  /** Fills `value` from the bytes at `at`, of which there must be as many as the layout has. Throws MalformedError `unsafe-integer`. */
  read(b: Buffer, at: number): Mutable<T>
}

/** A value of a layout without variable parts, to be used again and again. */
export function reused<T, In>(layout: Struct<T, In>): Reused<T> {
  const places = placesOf(layout.fields)
  const value = Object.fromEntries(places.map(({ name, kind }) => [name, isBytes(kind) ? Buffer.alloc(kind.size) : 0])) as Mutable<T>
  const fill = compile(places) ?? walking(places)
  return {
    value,
    read(b, at) {
      fill(b, at, value)
      return value
    },
  }
}

/** Reads the bytes at a place into a value. */
export type Fill = (b: Buffer, at: number, value: unknown) => void

const isBytes = (kind: Placed['kind']): boolean => kind.kind.startsWith('bytes(')

/** The fields that have a value, with their places. */
export function placesOf(fields: Readonly<Record<string, Field>>): Placed[] {
  let at = 0
  const places: Placed[] = []
  for (const [name, given] of Object.entries(fields)) {
    const field = given.role === 'default' ? given.field : given
    if (field.role === 'tail') throw new TypeError(`${name} has no fixed size`)
    const kind = field.role === 'kind' ? field : field.kind
    if (field.role === 'kind') places.push({ name, at, kind: field })
    at += kind.size
  }
  return places
}

/** Straight-line code, as the tables' own; undefined where the process forbids to generate any. */
function compile(places: readonly Placed[]): Fill | undefined {
  const used: unknown[] = []
  const use: Use = value => `$${used.push(value) - 1}`
  const lines = places.map(({ name, at, kind }) => {
    const field = `v[${JSON.stringify(name)}]`
    if (!isBytes(kind)) return `${field} = ${kind.readCode(`at + ${at}`, use)}`
    return `{ const f = ${field}; for (let i = 0; i < ${kind.size}; i++) f[i] = b[at + ${at} + i] }`
  })
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- the source comes from our own frozen tables, at load; nothing of it from a peer
    return new Function(...used.map((_, i) => `$${i}`), `'use strict'; return (b, at, v) => {\n${lines.join('\n')}\n}`)(...used) as Fill
  } catch (error) {
    if (error instanceof EvalError) return undefined
    throw error
  }
}

/** The same by walking the table. */
export function walking(places: readonly Placed[]): Fill {
  return (b, at, value) => {
    const fields = value as Record<string, unknown>
    for (const place of places) {
      const read = place.kind.read(b, at + place.at)
      if (isBytes(place.kind)) (fields[place.name] as Buffer).set(read as Buffer)
      else fields[place.name] = read
    }
  }
}
