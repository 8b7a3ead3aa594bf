/** An instruction as the verifier writes it, with names for what has names. */

import { Alu, Atomic, Class, Jump, Mode, Size } from './opcodes.ts'
import type { Instruction } from './program.ts'

const byCode = (table: Readonly<Record<string, number>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(table).map(([name, code]) => [code, name]))

const operators = byCode({
  '+=': Alu.add,
  '-=': Alu.sub,
  '*=': Alu.mul,
  '/=': Alu.div,
  '|=': Alu.or,
  '&=': Alu.and,
  '<<=': Alu.lsh,
  '>>=': Alu.rsh,
  '%=': Alu.mod,
  '^=': Alu.xor,
  '=': Alu.mov,
  's>>=': Alu.arsh,
})
const conditions = byCode({
  '==': Jump.jeq,
  '>': Jump.jgt,
  '>=': Jump.jge,
  '&': Jump.jset,
  '!=': Jump.jne,
  's>': Jump.jsgt,
  's>=': Jump.jsge,
  '<': Jump.jlt,
  '<=': Jump.jle,
  's<': Jump.jslt,
  's<=': Jump.jsle,
})
const types = byCode({ u8: Size.b, u16: Size.h, u32: Size.w, u64: Size.dw })

const classBits = 0x07
const sourceBit = 0x08
const operationBits = 0xf0
const sizeBits = 0x18

const memory = (opcode: number, base: number, offset: number): string =>
  `*(${types.get(opcode & sizeBits) ?? '?'} *)(r${base} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)})`

function arithmetic({ opcode, destination, source, immediate }: Instruction, prefix: 'r' | 'w'): string {
  const operation = opcode & operationBits
  if (operation === Alu.end) return `r${destination} = be${immediate} r${destination}`
  const operand = (opcode & sourceBit) === 0 ? String(immediate) : `${prefix}${source}`
  return `${prefix}${destination} ${operators.get(operation) ?? '?'} ${operand}`
}

function jump({ opcode, destination, source, immediate, helper }: Instruction, target: string | undefined, prefix: 'r' | 'w'): string {
  const operation = opcode & operationBits
  if (operation === Jump.exit) return 'exit'
  if (operation === Jump.call) return `call bpf_${helper ?? immediate}`
  if (operation === Jump.ja) return `goto ${target ?? '?'}`
  const operand = (opcode & sourceBit) === 0 ? String(immediate) : `${prefix}${source}`
  return `if ${prefix}${destination} ${conditions.get(operation) ?? '?'} ${operand} goto ${target ?? '?'}`
}

function store(instruction: Instruction): string {
  const { opcode, destination, source, offset, immediate } = instruction
  const place = memory(opcode, destination, offset)
  if ((opcode & classBits) === Class.st) return `${place} = ${immediate}`
  if ((opcode & ~(sizeBits | classBits)) !== Mode.atomic) return `${place} = r${source}`
  if (immediate === Atomic.exchange) return `r${source} = xchg(${place}, r${source})`
  if (immediate === Atomic.compareExchange) return `r0 = cmpxchg(${place}, r0, r${source})`
  return `lock ${place} ${operators.get(immediate) ?? '?'} r${source}`
}

/** One line; `target` is the label it jumps to. */
export function describe(instruction: Instruction, target: string | undefined): string {
  const { opcode, destination, source, offset, mapName } = instruction
  switch (opcode & classBits) {
    case Class.alu64:
      return arithmetic(instruction, 'r')
    case Class.alu:
      return arithmetic(instruction, 'w')
    case Class.jmp:
      return jump(instruction, target, 'r')
    case Class.jmp32:
      return jump(instruction, target, 'w')
    case Class.ldx:
      return `r${destination} = ${memory(opcode, source, offset)}`
    case Class.ld:
      return `r${destination} = map ${mapName ?? '?'}`
    default:
      return store(instruction)
  }
}
