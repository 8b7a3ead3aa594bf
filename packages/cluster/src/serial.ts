/** One thing after the other, by name: what an owner does to what it owns. */

/**
 * Keeps what is done under one name in the order of the calls; what has other names goes on beside it.
 *
 * @example
 * const serial = new Serial()
 * const order: number[] = []
 * await Promise.all([serial.run('disk0', async () => void order.push(1)), serial.run(['disk0', 'disk1'], async () => void order.push(2))])
 * order // => [1, 2]
 */
export class Serial {
  readonly #last = new Map<string, Promise<void>>()

  /** Begins when what was begun before under any of the names has ended, however it did; at once, where nothing is under way. */
  run<T>(names: string | readonly string[], action: () => Promise<T>): Promise<T> {
    const all = typeof names === 'string' ? [names] : names
    const before = all.flatMap(name => this.#last.get(name) ?? [])
    const outcome = before.length === 0 ? action() : Promise.all(before).then(action)
    const ended: Promise<void> = outcome.then(ignore, ignore).then(() => this.#forget(all, ended))
    for (const name of all) this.#last.set(name, ended)
    return outcome
  }

  #forget(names: readonly string[], ended: Promise<void>): void {
    for (const name of names) if (this.#last.get(name) === ended) this.#last.delete(name)
  }
}

/** Whoever asked for it hears how it ended. */
const ignore = (): void => {}
