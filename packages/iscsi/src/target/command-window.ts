/** Serial numbers of a session's commands (RFC 7143 4.2.2.1): each is executed once, in order, over whichever connection it comes. */
import { serialAdd, serialBefore, serialWithin } from '../pdu/index.ts'

/** Executes a command that has waited for those before it. */
type Deliver = () => void

/** A command that waits for those before it. */
interface Early {
  readonly deliver: Deliver
  /** The connection that it came over. */
  readonly from: object | undefined
  /** Called instead of `deliver` when it is forgotten. */
  readonly drop: (() => void) | undefined
}

/** The commands that a session may send, and has sent. */
export class CommandWindow {
  readonly #depth: number
  #expected: number
  #maximum: number
  #inProgress = 0
  readonly #early = new Map<number, Early>()

  /**
   * `first` is the CmdSN of the login, or the one that a worker before had come to, with the MaxCmdSN that it has told; at most `depth` commands
   * are with the target at any time.
   */
  constructor(first: number, depth: number, maximum = serialAdd(first, depth - 1)) {
    this.#depth = depth
    this.#expected = first
    this.#maximum = maximum
  }

  /** ExpCmdSN */
  get expected(): number {
    return this.#expected
  }

  /** MaxCmdSN: never moves back. */
  get maximum(): number {
    const open = serialAdd(this.#expected, this.#depth - 1 - this.#inProgress)
    if (serialBefore(this.#maximum, open)) this.#maximum = open
    return this.#maximum
  }

  /** Takes a command that is the next in order when nothing waits: the usual case. False: `arrive` decides. */
  takeNext(number: number): boolean {
    if (number !== this.#expected || this.#early.size > 0 || !this.#isOpenFor(number)) return false
    this.#expected = serialAdd(number, 1)
    return true
  }

  /**
   * A command has come that is not immediate. It is delivered now, when the missing ones before it have come, or never: one outside the
   * window, and one that has come before, are ignored; then false.
   */
  arrive(number: number, deliver: Deliver, { from, drop }: { readonly from?: object; readonly drop?: () => void } = {}): boolean {
    if (!this.#isOpenFor(number) || this.#early.has(number)) return false
    this.#early.set(number, { deliver, from, drop })
    this.#advance()
    return true
  }

  /** A connection has failed: what came over it and was not delivered yet counts as never received, and comes again over another (7.2.1). */
  forget(from: object): void {
    for (const [number, early] of this.#early) {
      if (early.from !== from) continue
      this.#early.delete(number)
      early.drop?.()
    }
  }

  /** A command that was lost, and is not wanted any more, counts as received. */
  giveUp(number: number): boolean {
    return this.arrive(number, () => undefined)
  }

  /** Another connection of the session has been told more than this one: it has had every command before `expected`. */
  raise(expected: number, maximum: number): void {
    if (serialBefore(this.#maximum, maximum)) this.#maximum = maximum
    while (serialBefore(this.#expected, expected)) {
      const waiting = this.#early.get(this.#expected)
      this.#early.delete(this.#expected)
      this.#expected = serialAdd(this.#expected, 1)
      waiting?.deliver()
    }
    this.#advance()
  }

  /** Whether a command was taken in its order before; in a session at level 0, where nothing comes twice. */
  hasPassed(number: number): boolean {
    return serialBefore(number, this.#expected)
  }

  /** A task takes up a place of the window until `end`. */
  begin(): void {
    this.#inProgress++
  }

  end(): void {
    this.#inProgress--
  }

  #isOpenFor(number: number): boolean {
    return serialWithin(number, this.#expected, this.#maximum)
  }

  #advance(): void {
    for (let next = this.#early.get(this.#expected); next !== undefined; next = this.#early.get(this.#expected)) {
      this.#early.delete(this.#expected)
      this.#expected = serialAdd(this.#expected, 1)
      next.deliver()
    }
  }
}
