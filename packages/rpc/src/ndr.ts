/**
 * NDR, the transfer syntax of DCE/RPC (C706 chapter 14), version 2.0 with 32-bit pointers.
 *
 * A parameter's layout is a value of `NdrType`, composed as the IDL reads: `struct({ name: unique(wideString), type: u32 })`.
 * Pointees of embedded pointers follow the construct that holds the pointer (14.3.12.3), which `defer` does on both sides.
 */

import { MalformedError } from '@holdfast/wire'
import type { NdrReader, NdrWriter } from './ndr-stream.ts'

export { NdrReader, NdrWriter } from './ndr-stream.ts'

/** The layout of a value. `read` hands over the value through `set`, since a pointee comes later than its pointer. */
export interface NdrType<T> {
  readonly alignment: 1 | 2 | 4
  /** The least room it takes, without what its pointers point to. */
  readonly minimumBytes: number
  read(reader: NdrReader, set: (value: T) => void): void
  write(writer: NdrWriter, value: T): void
}

/** The value that a layout reads and writes. */
export type ValueOf<T> = T extends NdrType<infer V> ? V : never

// oxlint-disable-next-line typescript/no-explicit-any
type AnyLayout = NdrType<any>

/** Members of a structure or parameters of a call, in their order: layouts of unlike values. */
export type Fields = Readonly<Record<string, AnyLayout>>
/** The values of `Fields`, by name. */
export type ValuesOf<F extends Fields> = { -readonly [K in keyof F]: ValueOf<F[K]> }

/** An unsigned 8-bit integer (C706 14.2.5). */
export const u8: NdrType<number> = { alignment: 1, minimumBytes: 1, read: (r, set) => set(r.u8()), write: (w, v) => w.u8(v) }
/** An unsigned 16-bit integer. */
export const u16: NdrType<number> = { alignment: 2, minimumBytes: 2, read: (r, set) => set(r.u16()), write: (w, v) => w.u16(v) }
/** An unsigned 32-bit integer. */
export const u32: NdrType<number> = { alignment: 4, minimumBytes: 4, read: (r, set) => set(r.u32()), write: (w, v) => w.u32(v) }
/** A signed `long`. */
export const i32: NdrType<number> = { alignment: 4, minimumBytes: 4, read: (r, set) => set(r.u32() | 0), write: (w, v) => w.u32(v) }

/** Bytes of a fixed length, such as a GUID or a context handle (alignment 4, as both begin with a `long`). */
export const fixedBytes = (lengthBytes: number): NdrType<Buffer> => ({
  alignment: 4,
  minimumBytes: lengthBytes,
  read(r, set) {
    r.align(4)
    set(r.raw(lengthBytes))
  },
  write(w, value) {
    w.align(4)
    w.raw(value)
  },
})

/** A `[unique]` pointer (C706 14.3.11.2); the null pointer is `null`. */
export const unique = <T>(pointee: NdrType<T>): NdrType<T | null> => ({
  alignment: 4,
  minimumBytes: 4,
  read(r, set) {
    set(null)
    if (r.u32() !== 0) r.defer(() => pointee.read(r, set))
  },
  write(w, value) {
    if (value === null) return w.u32(0)
    w.u32(w.referent())
    w.defer(() => pointee.write(w, value))
  },
})

/** A structure (C706 14.3.4), aligned as its most demanding member. */
export const struct = <F extends Fields>(fields: F): NdrType<ValuesOf<F>> => {
  const members = Object.entries(fields)
  const alignment = Math.max(...members.map(([, type]) => type.alignment)) as 1 | 2 | 4
  return {
    alignment,
    minimumBytes: members.reduce((sum, [, type]) => sum + type.minimumBytes, 0),
    read(r, set) {
      r.align(alignment)
      const value: Record<string, unknown> = {}
      for (const [name, type] of members) {
        type.read(r, member => {
          value[name] = member
        })
      }
      set(value as ValuesOf<F>)
    },
    write(w, value) {
      w.align(alignment)
      for (const [name, type] of members) type.write(w, value[name as keyof F])
    },
  }
}

/** A conformant array `[size_is(n)]` (C706 14.3.3.2). */
export const conformantArray = <T>(element: NdrType<T>): NdrType<T[]> => ({
  alignment: 4,
  minimumBytes: 4,
  read(r, set) {
    const count = r.count(element.minimumBytes)
    const values: T[] = []
    set(values)
    for (let i = 0; i < count; i++) {
      element.read(r, value => {
        values[i] = value
      })
    }
  },
  write(w, values) {
    w.u32(values.length)
    for (const value of values) element.write(w, value)
  },
})

/** A conformant array of octets, as a view. */
export const conformantBytes: NdrType<Uint8Array> = {
  alignment: 4,
  minimumBytes: 4,
  read(r, set) {
    const length = r.u32()
    set(r.raw(length))
  },
  write(w, bytes) {
    w.u32(bytes.length)
    w.raw(bytes)
  },
}

function readVaryingText(r: NdrReader): string {
  r.u32()
  const offset = r.u32()
  const count = r.u32()
  if (offset !== 0) throw new MalformedError('NDR_OFFSET', 'a string does not begin at its beginning')
  if (count * 2 > r.remainingBytes) throw new MalformedError('NDR_COUNT', `${count} characters are not there`)
  const bytes = r.raw(count * 2)
  return r.bigEndian ? Buffer.from(bytes).swap16().toString('utf16le') : bytes.toString('utf16le')
}

/** `[string] wchar_t *`: conformant, varying, ends with a NUL (C706 14.3.3.4) that is not part of the value. */
export const wideString: NdrType<string> = {
  alignment: 4,
  minimumBytes: 12,
  read(r, set) {
    const text = readVaryingText(r)
    const end = text.indexOf('\0')
    set(end === -1 ? text : text.slice(0, end))
  },
  write(w, text) {
    w.u32(text.length + 1)
    w.u32(0)
    w.u32(text.length + 1)
    w.utf16(text)
    w.u16(0)
  },
}

const counted: NdrType<string> = {
  alignment: 4,
  minimumBytes: 12,
  read: (r, set) => set(readVaryingText(r)),
  write(w, text) {
    w.u32(text.length)
    w.u32(0)
    w.u32(text.length)
    w.utf16(text)
  },
}

/** RPC_UNICODE_STRING (MS-DTYP 2.3.10); a null buffer reads as `''`. */
export const unicodeString: NdrType<string> = {
  alignment: 4,
  minimumBytes: 8,
  read(r, set) {
    r.align(4)
    r.u16()
    r.u16()
    set('')
    if (r.u32() !== 0) r.defer(() => counted.read(r, set))
  },
  write(w, text) {
    w.align(4)
    w.u16(text.length * 2)
    w.u16(text.length * 2)
    if (text === '') return w.u32(0)
    w.u32(w.referent())
    w.defer(() => counted.write(w, text))
  },
}

/** RPC_SID (MS-DTYP 2.4.2.3) as text, `S-1-5-…`. */
export const sid: NdrType<string> = {
  alignment: 4,
  minimumBytes: 12,
  read(r, set) {
    const conformance = r.count(4)
    const revision = r.u8()
    const count = r.u8()
    if (count !== conformance || count > 15) throw new MalformedError('NDR_SID', `a SID with ${count} of ${conformance} sub-authorities`)
    let text = `S-${revision}-${r.raw(6).readUIntBE(0, 6)}`
    for (let i = 0; i < count; i++) text += `-${r.u32()}`
    set(text)
  },
  write(w, text) {
    const [, revision, authority, ...subAuthorities] = text.split('-')
    w.u32(subAuthorities.length)
    w.u8(Number(revision))
    w.u8(subAuthorities.length)
    const bytes = Buffer.allocUnsafe(6)
    bytes.writeUIntBE(Number(authority), 0, 6)
    w.raw(bytes)
    for (const subAuthority of subAuthorities) w.u32(Number(subAuthority))
  },
}

/** A value of a union with its discriminant. */
export interface UnionValue {
  readonly level: number
  /** Undefined where the level has no arm. */
  readonly value: unknown
}

/**
 * A union with its discriminant in front (C706 14.3.8). A level without an arm is read and written as an empty one, so that
 * it can be answered with ERROR_INVALID_LEVEL.
 */
export const union = (discriminant: NdrType<number>, arms: Readonly<Record<number, NdrType<never>>>): NdrType<UnionValue> => {
  const alignment = Math.max(discriminant.alignment, ...Object.values(arms).map(arm => arm.alignment)) as 1 | 2 | 4
  return {
    alignment,
    minimumBytes: discriminant.minimumBytes,
    read(r, set) {
      r.align(alignment)
      discriminant.read(r, level => {
        const union: { level: number; value: unknown } = { level, value: undefined }
        set(union)
        const arm = arms[level]
        if (arm === undefined) return
        r.align(arm.alignment)
        arm.read(r, value => {
          union.value = value
        })
      })
    },
    write(w, { level, value }) {
      w.align(alignment)
      discriminant.write(w, level)
      const arm = arms[level]
      if (arm === undefined) return
      w.align(arm.alignment)
      arm.write(w, value as never)
    },
  }
}

/** Reads the parameters of a call in their order; what follows the last one is not looked at. */
export function readParameters<F extends Fields>(r: NdrReader, fields: F): ValuesOf<F> {
  const values: Record<string, unknown> = {}
  for (const [name, type] of Object.entries(fields)) {
    type.read(r, value => {
      values[name] = value
    })
    r.flush()
  }
  return values as ValuesOf<F>
}

/** Writes the results of a call in their order. */
export function writeParameters<F extends Fields>(w: NdrWriter, fields: F, values: ValuesOf<F>): void {
  for (const [name, type] of Object.entries(fields)) {
    type.write(w, values[name as keyof F])
    w.flush()
  }
}
