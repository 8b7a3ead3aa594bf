/** What instructions are about: registers, places in memory, and maps. */

/** One of the eleven registers. */
export class Register {
  readonly number: number
  constructor(number: number) {
    this.number = number
  }
  toString(): string {
    return `r${this.number}`
  }
}

const register = (number: number): Register => new Register(number)

/** Results, and the verdict at the end. */
export const r0 = register(0)
/** Arguments of helpers: gone after a call. */
export const r1 = register(1)
export const r2 = register(2)
export const r3 = register(3)
export const r4 = register(4)
export const r5 = register(5)
/** They keep their values in calls. */
export const r6 = register(6)
export const r7 = register(7)
export const r8 = register(8)
export const r9 = register(9)
/** Where the stack begins, downwards; cannot be written to. */
export const r10 = register(10)

/** Bytes of memory: so many from where a register points to. */
export class Place {
  readonly base: Register
  readonly offset: number
  constructor(base: Register, offset: number) {
    this.base = base
    this.offset = offset
  }
  /** The place so many bytes on. */
  plus(bytes: number): Place {
    return new Place(this.base, this.offset + bytes)
  }
  /** Its address, as an argument of a helper. */
  get address(): Address {
    return new Address(this)
  }
  toString(): string {
    return `(${this.base.toString()} ${this.offset < 0 ? '-' : '+'} ${Math.abs(this.offset)})`
  }
}

/** The address of a place. */
export class Address {
  readonly place: Place
  constructor(place: Place) {
    this.place = place
  }
}

/** Memory where a register points to. */
export const at = (base: Register, offset = 0): Place => new Place(base, offset)

/** A map by its name; which one that is, is said when the program is loaded. */
export class MapReference {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** A map by its name. */
export const map = (name: string): MapReference => new MapReference(name)

/** Bytes of stack a program has (MAX_BPF_STACK). */
const stackBytes = 512

/** Shares out the stack. */
export class Frame {
  #used = 0

  /** So many bytes, at a multiple of 8: the verifier wants accesses aligned on the stack as well. */
  take(bytes: number): Place {
    this.#used += (bytes + 7) & ~7
    if (this.#used > stackBytes) throw new RangeError(`the stack has ${stackBytes} bytes, ${this.#used} are wanted`)
    return new Place(r10, -this.#used)
  }
}
