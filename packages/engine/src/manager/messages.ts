/** Messages that are with a worker: where each lies in the inbound arena and whose it is. */
export class MessageTable {
  #connection = new Int32Array(1024).fill(-1)
  #offset = new Int32Array(1024)
  #length = new Int32Array(1024)
  /** Order of arrival. */
  #number = new Float64Array(1024)
  readonly #orphans = new Set<number>()
  readonly #free: number[] = []
  #used = 0
  #next = 0

  add(message: { connection: number; offset: number; length: number }): number {
    const index = this.#free.pop() ?? this.#grow()
    this.#connection[index] = message.connection
    this.#offset[index] = message.offset
    this.#length[index] = message.length
    this.#number[index] = this.#next++
    return index
  }

  has(index: number): boolean {
    return this.#connection[index] >= 0
  }

  connection(index: number): number {
    return this.#connection[index]
  }

  offset(index: number): number {
    return this.#offset[index]
  }

  length(index: number): number {
    return this.#length[index]
  }

  remove(index: number): void {
    this.#connection[index] = -1
    this.#orphans.delete(index)
    this.#free.push(index)
  }

  /** A worker has died that had it. */
  orphan(index: number): void {
    this.#orphans.add(index)
  }

  isOrphan(index: number): boolean {
    return this.#orphans.has(index)
  }

  /** All of one connection, oldest first. */
  of(connection: number): number[] {
    const found: number[] = []
    for (let index = 0; index < this.#used; index++) if (this.#connection[index] === connection) found.push(index)
    return found.sort((a, b) => this.#number[a] - this.#number[b])
  }

  #grow(): number {
    if (this.#used === this.#connection.length) {
      const size = 2 * this.#used
      const connection = new Int32Array(size).fill(-1)
      connection.set(this.#connection)
      this.#connection = connection
      const offset = new Int32Array(size)
      offset.set(this.#offset)
      this.#offset = offset
      const length = new Int32Array(size)
      length.set(this.#length)
      this.#length = length
      const number = new Float64Array(size)
      number.set(this.#number)
      this.#number = number
    }
    return this.#used++
  }
}
