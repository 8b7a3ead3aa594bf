/** Who may touch which bytes now: what overlaps happens one after the other, in the order of the calls. */

/** A piece of work that has its range, or waits for it. */
export interface Turn {
  readonly begin: number
  readonly end: number
  /** Reads are not: they overlap as they like. */
  readonly isExclusive: boolean
  /** Where it stands in the list. */
  index: number
  /** How many it waits for. */
  blockers: number
  /** Who waits for it. */
  blocked: Turn[] | undefined
  start: (() => void) | undefined
}

/**
 * What is done at once, without a promise, needs no turn: it asks `isFree`, and is over before anybody else can ask. That costs one comparison
 * while nothing is under way.
 */
export class RangeOrder {
  /** All that are under way or waiting, in no order. */
  readonly #turns: Turn[] = []

  /** Nothing is under way. */
  get isIdle(): boolean {
    return this.#turns.length === 0
  }

  /** Nothing that is under way, or waits, is in the way of such a piece of work. */
  isFree(begin: number, end: number, isExclusive: boolean): boolean {
    for (const turn of this.#turns) if (conflicts(turn, begin, end, isExclusive)) return false
    return true
  }

  /** Takes a turn: after all those that are in its way by now, before all later ones. To be given back with `leave`. */
  async enter(begin: number, end: number, isExclusive: boolean): Promise<Turn> {
    const turn: Turn = { begin, end, isExclusive, index: this.#turns.length, blockers: 0, blocked: undefined, start: undefined }
    for (const other of this.#turns) {
      if (!conflicts(other, begin, end, isExclusive)) continue
      turn.blockers++
      ;(other.blocked ??= []).push(turn)
    }
    this.#turns.push(turn)
    if (turn.blockers > 0) await new Promise<void>(resolve => (turn.start = resolve))
    return turn
  }

  leave(turn: Turn): void {
    const last = this.#turns.pop()!
    if (last !== turn) this.#turns[(last.index = turn.index)] = last
    for (const next of turn.blocked ?? []) if (--next.blockers === 0) next.start?.()
  }
}

const conflicts = (turn: Turn, begin: number, end: number, isExclusive: boolean): boolean =>
  turn.begin < end && begin < turn.end && (isExclusive || turn.isExclusive)
