/**
 * Operations that have begun, and that others do not see yet. A client sends a request after another without waiting for it, and expects the
 * second to find what the first does.
 */
export class Beginnings {
  readonly #under = new Set<Promise<void>>()

  /** The returned function tells that it can be seen now; to be called in any case, more than once does no harm. */
  begin(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#under.add(promise)
    return () => {
      this.#under.delete(promise)
      resolve()
    }
  }

  get any(): boolean {
    return this.#under.size > 0
  }

  /** Settles when those that have begun by now can be seen. */
  async settled(): Promise<void> {
    await Promise.all(this.#under)
  }
}
