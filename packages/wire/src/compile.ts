/** Turns a plan into straight-line JavaScript: direct byte reads, an object literal, no loop over fields. */
import type { Codec } from './interpret.ts'
import type { Use } from './kinds.ts'
import type { FixedPart, Plan, TailPart } from './plan.ts'
import * as runtime from './runtime.ts'

/** A codec as generated code; undefined where the process forbids to generate any (`--disallow-code-generation-from-strings`). */
export function compile(plan: Plan): Codec | undefined {
  const values: unknown[] = []
  const use: Use = value => {
    const known = values.indexOf(value)
    return `$${known >= 0 ? known : values.push(value) - 1}`
  }
  const decode = decodeSource(plan, use)
  const encodedLength = encodedLengthSource(plan)
  const encode = encodeSource(plan, use)
  const source = `'use strict'; return { decode: ${decode}, encodedLength: ${encodedLength}, encode: ${encode} }`
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- the source comes from our own frozen tables, at load; nothing of it from a peer
    return new Function(...values.map((_, i) => `$${i}`), source)(...values) as Codec
  } catch (error) {
    if (error instanceof EvalError) return undefined
    throw error
  }
}

const quote = (text: string): string => JSON.stringify(text)
const sum = (at: string, n: number): string => (n === 0 ? at : n < 0 ? `${at} - ${-n}` : `${at} + ${n}`)
const isPowerOf2 = (n: number): boolean => (n & (n - 1)) === 0

/** Source that rounds an expression up; alignment is a power of 2 in practice, and small. */
function roundUp(expression: string, align: number): string {
  if (align === 1) return expression
  if (isPowerOf2(align)) return `(${expression} + ${align - 1} & ${-align})`
  return `(Math.ceil((${expression}) / ${align}) * ${align})`
}

function decodeSource(plan: Plan, use: Use): string {
  const { name, size } = plan
  const lines = [
    'if (end > b.length) end = b.length',
    `if (at < 0 || end - at < ${size}) ${use(runtime.truncated)}(${quote(name)}, ${size}, end - at)`,
  ]
  for (const part of plan.fixed) {
    if (part.role !== 'fixed' || part.tolerate) continue
    const expected = use(part.value)
    const literal = typeof part.value === 'number' ? String(part.value) : expected
    const read = part.kind.readCode(sum('at', part.at), use)
    lines.push(`if (${read} !== ${literal}) ${use(runtime.mismatch)}(${quote(name)}, ${quote(part.name)}, ${literal}, ${read})`)
  }
  if (plan.tail.length > 0) lines.push(`let next = ${sum('at', size)}`)
  plan.tail.forEach((part, i) => lines.push(...decodeTail(plan, part, i, use)))
  const fields = plan.fixed.filter(part => part.role === 'value').map(part => `${quote(part.name)}: ${part.kind.readCode(sum('at', part.at), use)}`)
  const parts = plan.tail.map((part, i) => `${quote(part.name)}: value${i}`)
  // Variable parts were read above, but the literal's order is the table's: both engines give the same shape.
  lines.push(`return { ${[...fields, ...parts].join(', ')} }`)
  return `function (b, at = 0, end = b.length) {\n${lines.join('\n')}\n}`
}

function decodeTail(plan: Plan, part: TailPart, i: number, use: Use): string[] {
  const field = (fixedPart: FixedPart) => fixedPart.kind.readCode(sum('at', fixedPart.at), use)
  const origin = sum('at', plan.base)
  const aligned = part.align === 1 ? 'next' : `${roundUp(`next - (${origin})`, part.align)} + (${origin})`
  const unit = part.element?.size ?? (part.type === 'utf16' ? 2 : 1)
  const lines: string[] = []
  if (part.length) lines.push(`const length${i} = ${field(part.length)}`)
  else if (part.count) lines.push(`const length${i} = ${field(part.count)} * ${unit}`)
  else if (part.element) lines.push(`const all${i} = Math.max(0, end - (${aligned})), length${i} = all${i} - all${i} % ${unit}`)
  else lines.push(`const length${i} = Math.max(0, end - (${aligned}))`)
  if (unit > 1 && part.count === undefined)
    lines.push(`if (length${i} % ${unit} !== 0) ${use(runtime.badLength)}(${quote(plan.name)}, ${quote(part.name)}, length${i})`)
  const empty = part.type === 'data' ? use(runtime.emptyBytes) : part.type === 'utf16' ? "''" : '[]'
  lines.push(`let value${i} = ${empty}`, `if (length${i} > 0) {`)
  lines.push(part.offset ? `next = ${sum('at', part.offset.base)} + ${field(part.offset)}` : part.align === 1 ? '' : `next = ${aligned}`)
  lines.push(`if (next < ${sum('at', plan.size)} || next + length${i} > end) ${use(runtime.outOfBounds)}(${quote(plan.name)}, ${quote(part.name)})`)
  if (part.type === 'data') lines.push(`value${i} = b.subarray(next, next + length${i})`)
  else if (part.type === 'utf16') lines.push(`value${i} = ${use(runtime.readUtf16)}(b, next, next + length${i})`)
  else lines.push(`for (let p = next, to = next + length${i}; p < to; p += ${unit}) value${i}.push(${part.element!.readCode('p', use)})`)
  lines.push(`next += length${i}`, '}')
  if (part.terminatorBytes > 0) lines.push(`next += ${part.terminatorBytes}`)
  return lines.filter(line => line !== '')
}

const given = (part: FixedPart | TailPart, fallback: string): string =>
  part.hasDefault ? `(v[${quote(part.name)}] ?? ${fallback})` : `v[${quote(part.name)}]`

/** Statements that compute start and length of each variable part, and where all ends; relative to the start of the struct. */
function placing(plan: Plan, fallback: (part: TailPart) => string): string[] {
  const lines = [`let next = ${plan.size}`]
  plan.tail.forEach((part, i) => {
    const length = part.type === 'data' ? '.byteLength' : part.type === 'utf16' ? '.length * 2' : `.length * ${part.element!.size}`
    lines.push(`const value${i} = ${given(part, fallback(part))}, length${i} = value${i}${length}`)
    const aligned = part.align === 1 ? 'next' : `(length${i} === 0 ? next : ${sum(roundUp(sum('next', -plan.base), part.align), plan.base)})`
    lines.push(`const start${i} = ${aligned}`, `next = start${i} + length${i}${part.terminatorBytes > 0 ? ` + ${part.terminatorBytes}` : ''}`)
  })
  lines.push(
    plan.minTailBytes > 0 ? `const total = next < ${plan.size + plan.minTailBytes} ? ${plan.size + plan.minTailBytes} : next` : 'const total = next',
  )
  return lines
}

function encodedLengthSource(plan: Plan): string {
  if (plan.tail.length === 0) return `function () { return ${plan.size + plan.minTailBytes} }`
  const empty = (part: TailPart): string => JSON.stringify({ byteLength: 0, length: 0, ...lengthsOf(part.default) })
  return `function (v) {\n${placing(plan, empty).join('\n')}\nreturn total\n}`
}

function lengthsOf(value: unknown): { byteLength?: number; length?: number } {
  const { byteLength, length } = (value ?? {}) as { byteLength?: number; length?: number }
  return { ...(byteLength === undefined ? {} : { byteLength }), ...(length === undefined ? {} : { length }) }
}

function encodeSource(plan: Plan, use: Use): string {
  const { name } = plan
  const lines = placing(plan, part => use(part.default))
  lines.push(`if (at + total > b.length) ${use(runtime.noRoom)}(${quote(name)}, total, b.length - at)`)
  for (const part of plan.fixed) {
    const position = sum('at', part.at)
    if (part.role === 'value') lines.push(part.kind.writeCode(position, given(part, use(part.default)), use))
    else if (part.role === 'fixed')
      lines.push(part.kind.writeCode(position, typeof part.value === 'number' ? String(part.value) : use(part.value), use))
    else if (part.role === 'reserved') lines.push(zeros(part))
    else lines.push(...computedField(plan, part, use))
  }
  plan.tail.forEach((part, i) => {
    if (part.align > 1) lines.push(`${use(runtime.pad)}(b, at + ${i === 0 ? plan.size : `stop${i - 1}`}, at + start${i})`)
    if (part.type === 'data') lines.push(`if (length${i} > 0) ${use(runtime.place)}(b, at + start${i}, value${i})`)
    else if (part.type === 'utf16') lines.push(`${use(runtime.writeUtf16)}(b, at + start${i}, value${i})`)
    else {
      const { size } = part.element!
      lines.push(`for (let i = 0, p = at + start${i}; i < value${i}.length; i++, p += ${size}) ${part.element!.writeCode('p', `value${i}[i]`, use)}`)
    }
    lines.push(`const stop${i} = start${i} + length${i}${part.terminatorBytes > 0 ? ` + ${part.terminatorBytes}` : ''}`)
    if (part.terminatorBytes > 0) lines.push(`${use(runtime.pad)}(b, at + start${i} + length${i}, at + stop${i})`)
  })
  if (plan.minTailBytes > 0) lines.push(`${use(runtime.pad)}(b, at + next, at + total)`)
  lines.push('return at + total')
  return `function (v, b, at = 0) {\n${lines.join('\n')}\n}`
}

function zeros(part: FixedPart): string {
  const { size } = part.kind
  if (size > 16) return `b.fill(0, ${sum('at', part.at)}, ${sum('at', part.at + size)})`
  return Array.from({ length: size }, (_, i) => `b[${sum('at', part.at + i)}] = 0`).join('; ')
}

function computedField(plan: Plan, part: FixedPart, use: Use): string[] {
  const i = part.target
  const target = plan.tail[i]
  const offset = sum(`start${i}`, -part.base)
  const number =
    part.role === 'length'
      ? `length${i}`
      : part.role === 'count'
        ? `value${i}.length`
        : target.emptyOffset === 'zero'
          ? `(length${i} === 0 ? 0 : ${offset})`
          : offset
  return [
    `const ${part.role}Of${i} = ${number}`,
    `if (${part.role}Of${i} > ${part.kind.max!}) ${use(runtime.tooLarge)}(${quote(plan.name)}, ${quote(part.name)}, ${part.role}Of${i})`,
    part.kind.writeCode(sum('at', part.at), `${part.role}Of${i}`, use),
  ]
}
