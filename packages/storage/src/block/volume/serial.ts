/** One thing after the other, by name. */
export class Serial {
  readonly #last = new Map<string, Promise<void>>()

  /** Begins when what was begun before under any of the names has ended, however it did. */
  run<T>(names: readonly string[], action: () => Promise<T>): Promise<T> {
    const before = Promise.all(names.map(async name => this.#last.get(name)))
    const outcome = before.then(action)
    const ended = outcome.then(ignore, ignore).then(() => {
      for (const name of names) if (this.#last.get(name) === ended) this.#last.delete(name)
    })
    for (const name of names) this.#last.set(name, ended)
    return outcome
  }
}

/** Whoever asked for it hears how it ended. */
const ignore = (): void => {}
