/** Who wants to hear of something. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>()

  /** Returns what stops it. The same function may be added twice. */
  add(listener: (value: T) => void): () => void {
    const own = (value: T): void => listener(value)
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  call(value: T): void {
    for (const listener of this.#listeners) listener(value)
  }
}
