/**
 * A small assembler for eBPF (RFC 9669): one method for each instruction, by the name the kernel's documentation gives it, with the operand that is written to in front.
 *
 *     const a = new Assembler('count')
 *     a.mov(r6, r1)
 *     a.call('map_lookup_elem', map('totals'), key.address)
 *     a.jeq(r0, 0, 'pass')
 *     a.mov(r1, 1)
 *     a.atomicAdd(at(r0), r1)
 *     a.label('pass')
 *     a.mov32(r0, TC_ACT_OK)
 *     a.exit()
 *     a.assemble()
 */

import { Address, MapReference, Register, r0, r1, r2, r3, r4, r5 } from './operands.ts'
import type { Place } from './operands.ts'
import { Alu, Atomic, Class, Helper, Jump, Mode, Size, Source } from './opcodes.ts'
import type { HelperName } from './opcodes.ts'
import { Program } from './program.ts'
import type { Instruction, Label } from './program.ts'

/** A second operand: a register, or a number of 32 bits (which is extended by its sign). */
export type Operand = Register | number
/** What a helper is called with. */
export type Argument = Operand | Address | MapReference

/** BPF_PSEUDO_KFUNC_CALL, where a source register would be. */
const pseudoKernelFunction = r2

const argumentRegisters = [r1, r2, r3, r4, r5]

/** See the top of the file. */
export class Assembler {
  readonly name: string
  readonly #instructions: Instruction[] = []
  readonly #labels: Label[] = []
  #scope = ''
  #labelsMade = 0

  constructor(name: string) {
    this.name = name
  }

  /** Where jumps may go. A name is good for the scope it is in and those within. */
  label(name: string): this {
    const path = this.#scope + name
    if (this.#labels.some(other => other.path === path)) throw new Error(`${this.name}: there is a label ${path} already`)
    this.#labels.push({ path, index: this.#instructions.length })
    return this
  }

  /** Labels made in `body` are its own, so that the same lines can be put into a program twice. */
  scope(name: string, body: () => void): this {
    const outside = this.#scope
    this.#scope = `${outside}${name}.`
    body()
    this.#scope = outside
    return this
  }

  /** The same without a name that matters. */
  block(body: (done: string) => void): this {
    const done = `done${++this.#labelsMade}`
    body(done)
    return this.label(done)
  }

  #emit(
    opcode: number,
    destination: Register,
    source: Register | undefined,
    offset: number,
    immediate: number,
    extra: Partial<Instruction> = {},
  ): this {
    this.#instructions.push({
      opcode,
      destination: destination.number,
      source: source?.number ?? 0,
      offset,
      immediate,
      scope: this.#scope,
      ...extra,
    })
    return this
  }

  #alu(operation: number, wide: boolean, destination: Register, operand: Operand): this {
    const [source, register, immediate] = operand instanceof Register ? [Source.x, operand, 0] : [Source.k, undefined, operand]
    return this.#emit((wide ? Class.alu64 : Class.alu) | source | operation, destination, register, 0, immediate)
  }

  /** dst = operand */
  mov(dst: Register, operand: Operand): this {
    return this.#alu(Alu.mov, true, dst, operand)
  }
  /** The lower 32 bits; the upper ones become zero, as with all whose names end in 32. */
  mov32(dst: Register, operand: Operand): this {
    return this.#alu(Alu.mov, false, dst, operand)
  }
  add(dst: Register, operand: Operand): this {
    return this.#alu(Alu.add, true, dst, operand)
  }
  add32(dst: Register, operand: Operand): this {
    return this.#alu(Alu.add, false, dst, operand)
  }
  sub(dst: Register, operand: Operand): this {
    return this.#alu(Alu.sub, true, dst, operand)
  }
  sub32(dst: Register, operand: Operand): this {
    return this.#alu(Alu.sub, false, dst, operand)
  }
  /** Unsigned; by 0 it is 0 (RFC 9669 4.1). */
  div(dst: Register, operand: Operand): this {
    return this.#alu(Alu.div, true, dst, operand)
  }
  and(dst: Register, operand: Operand): this {
    return this.#alu(Alu.and, true, dst, operand)
  }
  or(dst: Register, operand: Operand): this {
    return this.#alu(Alu.or, true, dst, operand)
  }
  xor(dst: Register, operand: Operand): this {
    return this.#alu(Alu.xor, true, dst, operand)
  }
  lsh(dst: Register, operand: Operand): this {
    return this.#alu(Alu.lsh, true, dst, operand)
  }
  rsh(dst: Register, operand: Operand): this {
    return this.#alu(Alu.rsh, true, dst, operand)
  }
  /** Changes between the machine's order and the network's; the upper bits become zero. */
  be16(dst: Register): this {
    return this.#emit(Class.alu | Source.x | Alu.end, dst, undefined, 0, 16)
  }
  be32(dst: Register): this {
    return this.#emit(Class.alu | Source.x | Alu.end, dst, undefined, 0, 32)
  }

  #load(size: number, dst: Register, place: Place): this {
    return this.#emit(Class.ldx | Mode.mem | size, dst, place.base, place.offset, 0)
  }
  /** Loads one byte; ldxh two, ldxw four, ldxdw eight. The upper bits become zero. */
  ldxb(dst: Register, place: Place): this {
    return this.#load(Size.b, dst, place)
  }
  ldxh(dst: Register, place: Place): this {
    return this.#load(Size.h, dst, place)
  }
  ldxw(dst: Register, place: Place): this {
    return this.#load(Size.w, dst, place)
  }
  ldxdw(dst: Register, place: Place): this {
    return this.#load(Size.dw, dst, place)
  }

  #store(size: number, place: Place, operand: Operand): this {
    if (operand instanceof Register) return this.#emit(Class.stx | Mode.mem | size, place.base, operand, place.offset, 0)
    return this.#emit(Class.st | Mode.mem | size, place.base, undefined, place.offset, operand)
  }
  /** Stores one byte (ST or STX); sth two, stw four, stdw eight. */
  stb(place: Place, operand: Operand): this {
    return this.#store(Size.b, place, operand)
  }
  sth(place: Place, operand: Operand): this {
    return this.#store(Size.h, place, operand)
  }
  stw(place: Place, operand: Operand): this {
    return this.#store(Size.w, place, operand)
  }
  stdw(place: Place, operand: Operand): this {
    return this.#store(Size.dw, place, operand)
  }
  /** Adds to eight bytes, at once for all CPUs. */
  atomicAdd(place: Place, source: Register): this {
    return this.#emit(Class.stx | Mode.atomic | Size.dw, place.base, source, place.offset, Alu.add)
  }

  /** Sets bits in four bytes, at once for all CPUs. */
  atomicOr32(place: Place, source: Register): this {
    return this.#emit(Class.stx | Mode.atomic | Size.w, place.base, source, place.offset, Alu.or)
  }

  /** Puts a register's eight bytes in the place of those in memory, and these into the register, at once for all CPUs. */
  atomicExchange(place: Place, register: Register): this {
    return this.#emit(Class.stx | Mode.atomic | Size.dw, place.base, register, place.offset, Atomic.exchange)
  }

  /** The same with `source` where the eight bytes in memory are those of r0; r0 is what they were. */
  atomicCompareExchange(place: Place, source: Register): this {
    return this.#emit(Class.stx | Mode.atomic | Size.dw, place.base, source, place.offset, Atomic.compareExchange)
  }

  #jump(condition: number, destination: Register, operand: Operand, target: string): this {
    const [source, register, immediate] = operand instanceof Register ? [Source.x, operand, 0] : [Source.k, undefined, operand]
    return this.#emit(Class.jmp | source | condition, destination, register, 0, immediate, { target })
  }
  /** Jumps anyway. */
  ja(target: string): this {
    return this.#jump(Jump.ja, r0, 0, target)
  }
  jeq(dst: Register, operand: Operand, target: string): this {
    return this.#jump(Jump.jeq, dst, operand, target)
  }
  jne(dst: Register, operand: Operand, target: string): this {
    return this.#jump(Jump.jne, dst, operand, target)
  }
  /** Unsigned, as jge, jlt and jle. */
  jgt(dst: Register, operand: Operand, target: string): this {
    return this.#jump(Jump.jgt, dst, operand, target)
  }
  jge(dst: Register, operand: Operand, target: string): this {
    return this.#jump(Jump.jge, dst, operand, target)
  }
  jlt(dst: Register, operand: Operand, target: string): this {
    return this.#jump(Jump.jlt, dst, operand, target)
  }
  jle(dst: Register, operand: Operand, target: string): this {
    return this.#jump(Jump.jle, dst, operand, target)
  }
  /** When one of the bits is set. */
  jset(dst: Register, operand: Operand, target: string): this {
    return this.#jump(Jump.jset, dst, operand, target)
  }
  /** Of the lower 32 bits: for what has the highest of them set, which jne would extend. */
  jne32(dst: Register, value: number, target: string): this {
    return this.#emit(Class.jmp32 | Source.k | Jump.jne, dst, undefined, 0, value, { target })
  }
  /** Signed, of the lower 32 bits: for differences of sequence numbers. */
  jsge32(dst: Register, value: number, target: string): this {
    return this.#emit(Class.jmp32 | Source.k | Jump.jsge, dst, undefined, 0, value, { target })
  }
  jsle32(dst: Register, value: number, target: string): this {
    return this.#emit(Class.jmp32 | Source.k | Jump.jsle, dst, undefined, 0, value, { target })
  }

  /** dst = the map, as helpers want it. */
  loadMap(dst: Register, { name }: MapReference): this {
    this.#emit(Class.ld | Mode.imm | Size.dw, dst, undefined, 0, 0, { mapName: name })
    return this.#emit(0, r0, undefined, 0, 0, { isSecondHalf: true })
  }

  /** dst = where a place is. */
  addressOf(dst: Register, place: Place): this {
    this.mov(dst, place.base)
    return place.offset === 0 ? this : this.add(dst, place.offset)
  }

  /** Calls a helper: puts its arguments into r1 to r5. The result is in r0, and r1 to r5 are gone. */
  call(helper: HelperName, ...given: Argument[]): this {
    given.forEach((argument, index) => this.#argument(argumentRegisters[index], argument, index))
    return this.#emit(Class.jmp | Jump.call, r0, undefined, 0, Helper[helper], { helper })
  }

  /** Calls a function of the kernel that is no helper (a kfunc), by its number in the kernel's type information. Its arguments are in r1 to r5 already. */
  callKernel(number: number): this {
    return this.#emit(Class.jmp | Jump.call, r0, pseudoKernelFunction, 0, number)
  }

  #argument(into: Register, argument: Argument, index: number): void {
    const source = argument instanceof Address ? argument.place.base : argument
    // r1 has the first argument already when the second one is moved.
    if (source instanceof Register && source.number >= 1 && source.number <= index) throw new Error(`${this.name}: r${source.number} is overwritten`)
    if (argument instanceof MapReference) this.loadMap(into, argument)
    else if (argument instanceof Address) this.addressOf(into, argument.place)
    else if (!(argument instanceof Register) || argument !== into) this.mov(into, argument)
  }

  /** Ends the program; r0 is what it says. */
  exit(): this {
    return this.#emit(Class.jmp | Jump.exit, r0, undefined, 0, 0)
  }

  /** The program, with all jumps set. Throws when a label is missing. */
  assemble(): Program {
    return new Program(this.name, this.#instructions, this.#labels)
  }
}
