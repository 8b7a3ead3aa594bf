/** Addresses of which there may be several directors: the last one to go takes the address with it. */
export class CountedAddresses {
  readonly #counts = new Map<string, number>()
  readonly #first: (address: Buffer) => void
  readonly #last: (address: Buffer) => void

  /** `first` is called when an address is added that was not there, `last` when it is there no more. */
  constructor(first: (address: Buffer) => void, last: (address: Buffer) => void) {
    this.#first = first
    this.#last = last
  }

  add(address: Buffer): void {
    const name = address.toString('latin1')
    const count = this.#counts.get(name) ?? 0
    this.#counts.set(name, count + 1)
    if (count === 0) this.#first(address)
  }

  remove(address: Buffer): void {
    const name = address.toString('latin1')
    const count = this.#counts.get(name) ?? 0
    if (count > 1) this.#counts.set(name, count - 1)
    else if (this.#counts.delete(name)) this.#last(address)
  }
}
