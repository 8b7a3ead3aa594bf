/** Runs a plan as it stands, where generating code is forbidden. Behaves exactly as compiled code does. */
import type { FixedPart, Plan, TailPart } from './plan.ts'
import { badLength, emptyBytes, mismatch, noRoom, outOfBounds, pad, place, readUtf16, tooLarge, truncated, writeUtf16 } from './runtime.ts'

type Values = Record<string, unknown>

export interface Codec {
  decode(b: Buffer, at?: number, end?: number): unknown
  encodedLength(value: never): number
  encode(value: never, b: Buffer, at?: number): number
}

/** A codec that walks the plan for every message. */
export function interpret(plan: Plan): Codec {
  return {
    decode: (b, at = 0, end = b.length) => decode(plan, b, at, Math.min(end, b.length)),
    encodedLength: (value: Values) => place_(plan, value).end,
    encode: (value: Values, b, at = 0) => encode(plan, value, b, at),
  }
}

function decode(plan: Plan, b: Buffer, at: number, end: number): unknown {
  if (at < 0 || end - at < plan.size) truncated(plan.name, plan.size, end - at)
  for (const part of plan.fixed) {
    if (part.role !== 'fixed' || part.tolerate) continue
    const found: unknown = part.kind.read(b, at + part.at)
    if (found !== part.value) mismatch(plan.name, part.name, part.value, found)
  }
  const parts: Values = {}
  let next = at + plan.size
  for (const part of plan.tail) {
    const number = (field: FixedPart): number => field.kind.read(b, at + field.at)
    const align = (position: number) => roundUp(position - (at + plan.base), part.align) + at + plan.base
    const lengthBytes = part.length ? number(part.length) : part.count ? number(part.count) * part.element!.size : Math.max(0, end - align(next))
    const used = part.rest && part.element ? lengthBytes - (lengthBytes % part.element.size) : lengthBytes
    if (part.element && used % part.element.size !== 0) badLength(plan.name, part.name, used)
    if (part.type === 'utf16' && used % 2 !== 0) badLength(plan.name, part.name, used)
    let from = next
    if (used > 0) {
      from = part.offset ? at + part.offset.base + number(part.offset) : align(next)
      if (from < at + plan.size || from + used > end) outOfBounds(plan.name, part.name)
    }
    parts[part.name] = readPart(part, b, from, used)
    next = from + used + part.terminatorBytes
  }
  const value: Values = {}
  for (const part of plan.fixed) if (part.role === 'value') value[part.name] = part.kind.read(b, at + part.at)
  return Object.assign(value, parts)
}

function readPart(part: TailPart, b: Buffer, from: number, lengthBytes: number): unknown {
  if (part.type === 'data') return lengthBytes === 0 ? emptyBytes : b.subarray(from, from + lengthBytes)
  if (part.type === 'utf16') return lengthBytes === 0 ? '' : readUtf16(b, from, from + lengthBytes)
  const { size } = part.element!
  return Array.from({ length: lengthBytes / size }, (_, i): unknown => part.element!.read(b, from + i * size))
}

/** Where the variable parts go, relative to the start of the struct. */
function place_(plan: Plan, value: Values): { readonly starts: number[]; readonly lengths: number[]; readonly end: number } {
  const starts: number[] = []
  const lengths: number[] = []
  let next = plan.size
  for (const part of plan.tail) {
    const given = value[part.name] ?? part.default
    const lengthBytes = byteLength(part, given)
    const from = lengthBytes === 0 ? next : roundUp(next - plan.base, part.align) + plan.base
    starts.push(from)
    lengths.push(lengthBytes)
    next = from + lengthBytes + part.terminatorBytes
  }
  return { starts, lengths, end: Math.max(next, plan.size + plan.minTailBytes) }
}

function byteLength(part: TailPart, given: unknown): number {
  if (part.type === 'data') return (given as Uint8Array).byteLength
  if (part.type === 'utf16') return (given as string).length * 2
  return (given as readonly unknown[]).length * part.element!.size
}

function encode(plan: Plan, value: Values, b: Buffer, at: number): number {
  const { starts, lengths, end } = place_(plan, value)
  if (at + end > b.length) noRoom(plan.name, end, b.length - at)
  for (const part of plan.fixed) {
    const position = at + part.at
    if (part.role === 'value') part.kind.write(b, position, value[part.name] ?? part.default)
    else if (part.role === 'fixed') part.kind.write(b, position, part.value)
    else if (part.role === 'reserved') b.fill(0, position, position + part.kind.size)
    else {
      const number = computed(plan, part, starts[part.target], lengths[part.target])
      if (number > part.kind.max!) tooLarge(plan.name, part.name, number)
      part.kind.write(b, position, number)
    }
  }
  let next = plan.size
  plan.tail.forEach((part, i) => {
    pad(b, at + next, at + starts[i])
    writePart(part, b, at + starts[i], value[part.name] ?? part.default)
    next = starts[i] + lengths[i] + part.terminatorBytes
    pad(b, at + next - part.terminatorBytes, at + next)
  })
  pad(b, at + next, at + end)
  return at + end
}

function computed(plan: Plan, part: FixedPart, start: number, lengthBytes: number): number {
  const target = plan.tail[part.target]
  if (part.role === 'length') return lengthBytes
  if (part.role === 'count') return lengthBytes / target.element!.size
  return lengthBytes === 0 && target.emptyOffset === 'zero' ? 0 : start - part.base
}

function writePart(part: TailPart, b: Buffer, at: number, given: unknown): void {
  if (part.type === 'data') return place(b, at, given as Uint8Array)
  if (part.type === 'utf16') return writeUtf16(b, at, given as string)
  const { size } = part.element!
  for (const [i, element] of (given as readonly unknown[]).entries()) part.element!.write(b, at + i * size, element)
}

function roundUp(n: number, align: number): number {
  return n + ((align - (n % align)) % align)
}
