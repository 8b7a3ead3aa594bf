/** One thing after the other, by name. */
export class Serial {
  readonly #last = new Map<string, Promise<void>>()

  /** Begins when what was begun before under this name has ended, however it did. */
  run<T>(name: string, action: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name)
    const outcome = before === undefined ? action() : before.then(action)
    const ended: Promise<void> = outcome.then(ignore, ignore).then(() => this.#forget(name, ended))
    this.#last.set(name, ended)
    return outcome
  }

  #forget(name: string, ended: Promise<void>): void {
    if (this.#last.get(name) === ended) this.#last.delete(name)
  }
}

/** Whoever asked for it hears how it ended. */
const ignore = (): void => {}
