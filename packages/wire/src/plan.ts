/** A table of fields, laid out: what compiler and interpreter both work from. */
import { UsageError } from './errors.ts'
import type { Computed, Fields, TailOptions } from './fields.ts'
import type { AnyKind } from './kinds.ts'

export interface FixedPart {
  readonly name: string
  readonly role: 'value' | Computed['role']
  readonly kind: AnyKind
  /** Bytes from the start of the struct. */
  readonly at: number
  /** The constant of a `fixed` field. */
  readonly value: unknown
  readonly tolerate: boolean
  /** Where an offset counts from, relative to the start of the struct. */
  readonly base: number
  /** Index into `tail` of what an offset, length or count is about, else -1. */
  readonly target: number
  readonly hasDefault: boolean
  readonly default: unknown
}

export interface TailPart {
  readonly name: string
  readonly type: 'data' | 'utf16' | 'array'
  readonly element: AnyKind | undefined
  readonly align: number
  readonly emptyOffset: 'position' | 'zero'
  readonly terminatorBytes: number
  readonly rest: boolean
  readonly offset: FixedPart | undefined
  readonly length: FixedPart | undefined
  readonly count: FixedPart | undefined
  readonly hasDefault: boolean
  readonly default: unknown
}

/** What holds for a struct as a whole. */
export interface StructOptions {
  /** Where offsets and alignment count from, in bytes relative to the start of the struct: -64 for an SMB2 body. Default 0. */
  readonly base?: number
  /** The least bytes written behind the fixed fields (zeros where there is nothing): 1 for an odd StructureSize. Default 0. */
  readonly minTailBytes?: number
  /** False: never generate code (for tests). */
  readonly compile?: boolean
}

export interface Plan {
  readonly name: string
  /** Bytes of all fixed fields. */
  readonly size: number
  readonly base: number
  readonly minTailBytes: number
  readonly fixed: readonly FixedPart[]
  readonly tail: readonly TailPart[]
}

/** Lays a table out. What is wrong with the table itself fails at load with a UsageError `bad-layout`. */
export function layOut(name: string, fields: Fields, options: StructOptions): Plan {
  const bad = (field: string, why: string): never => {
    throw new UsageError('bad-layout', `${name}.${field}: ${why}`)
  }
  const base = options.base ?? 0
  const tailNames = Object.entries(fields).flatMap(([key, field]) => (unwrap(field).role === 'tail' ? [key] : []))
  const fixed: FixedPart[] = []
  const tail: TailPart[] = []
  let size = 0
  for (const [key, wrapped] of Object.entries(fields)) {
    const field = unwrap(wrapped)
    const byDefault = wrapped.role === 'default' ? { hasDefault: true, default: wrapped.value as unknown } : { hasDefault: false, default: undefined }
    if (field.role === 'tail') {
      tail.push({ ...tailPart(key, field.type, field.element, field.options), ...byDefault })
      continue
    }
    if (tail.length > 0) bad(key, 'a fixed field behind a variable one')
    const kind = field.role === 'kind' ? field : field.kind
    const target = 'target' in field ? tailNames.indexOf(field.target) : -1
    if ('target' in field && target < 0) bad(key, `there is no variable part ${field.target}`)
    if (target >= 0 && kind.max === undefined) bad(key, `${kind.kind} can't hold an offset, length or count`)
    if (kind.size < 0) bad(key, `${kind.kind} has a variable part`)
    fixed.push({
      name: key,
      role: field.role === 'kind' ? 'value' : field.role,
      kind,
      at: size,
      value: field.role === 'fixed' ? field.value : undefined,
      tolerate: field.role === 'fixed' && field.tolerate,
      base: field.role === 'offset' ? (field.base ?? base) : base,
      target,
      ...byDefault,
    })
    size += kind.size
  }
  const linked = tail.map((part, index) => {
    const find = (role: string) => fixed.find(f => f.role === role && f.target === index)
    const links = { ...part, offset: find('offset'), length: find('length'), count: find('count') }
    if (part.rest && index < tail.length - 1) bad(part.name, 'only the last part can be the rest')
    if (part.rest === (links.length !== undefined || links.count !== undefined)) bad(part.name, 'needs a length, a count, or to be the rest')
    if (links.count !== undefined && part.type !== 'array') bad(part.name, 'only an array is counted')
    if (part.element !== undefined && part.element.size <= 0) bad(part.name, `elements of ${part.element.kind} have no fixed size`)
    return links
  })
  return { name, size, base, minTailBytes: options.minTailBytes ?? 0, fixed, tail: linked }
}

function unwrap(field: Fields[string]): Exclude<Fields[string], { role: 'default' }> {
  return field.role === 'default' ? field.field : field
}

function tailPart(name: string, type: TailPart['type'], element: AnyKind | undefined, options: TailOptions) {
  return {
    name,
    type,
    element,
    align: options.align ?? 1,
    emptyOffset: options.emptyOffset ?? ('position' as const),
    terminatorBytes: options.terminatorBytes ?? 0,
    rest: options.rest ?? false,
    offset: undefined,
    length: undefined,
    count: undefined,
  }
}
