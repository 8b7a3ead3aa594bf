/** An answer that must be waited for: for an oplock break, a lock, a change, or another worker. */
export class Pending<T> {
  /** Settles once; never rejects for a reason of the protocol (a refusal is a result). */
  readonly promise: Promise<T>
  settled = false
  readonly #resolve: (value: T) => void
  #waiting: boolean
  #waitingListener: (() => void) | undefined
  #cancel: (() => void) | undefined

  /**
   * `cancel` is what gives up waiting; it must lead to `settle`. `waiting` is false as long as it is not known
   * whether the request will have to wait.
   */
  constructor(options: { readonly cancel?: () => void; readonly waiting: boolean }) {
    const { promise, resolve } = Promise.withResolvers<T>()
    this.promise = promise
    this.#resolve = resolve
    this.#cancel = options.cancel
    this.#waiting = options.waiting
  }

  /** It waited, or waits, for a client or another request: what was known before may have changed meanwhile. */
  get hasWaited(): boolean {
    return this.#waiting
  }

  /** Gives up (SMB2 CANCEL, connection gone). It settles with CANCELLED unless it was decided first; harmless afterwards. */
  cancel(): void {
    if (this.settled) return
    const cancel = this.#cancel
    this.#cancel = undefined
    cancel?.()
  }

  /** Calls back once it is known that this waits for a client or another request: time for an interim response (MS-SMB2 3.3.4.2). */
  onWaiting(listener: () => void): void {
    if (this.settled) return
    if (this.#waiting) listener()
    else this.#waitingListener = listener
  }

  /** For the open table. */
  markWaiting(): void {
    if (this.#waiting || this.settled) return
    this.#waiting = true
    const listener = this.#waitingListener
    this.#waitingListener = undefined
    listener?.()
  }

  /** For the open table. */
  settle(value: T): void {
    if (this.settled) return
    this.settled = true
    this.#cancel = undefined
    this.#waitingListener = undefined
    this.#resolve(value)
  }
}
