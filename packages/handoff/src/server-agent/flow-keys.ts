/** Keys of the flow map, without an object for each: there may be hundreds of thousands, and the kernel only wants to be told where one is. */

import { FlowKey } from '../bpf/entries.ts'
import { offsetsOf } from '../bpf/offsets.ts'
import { writeFlowKey } from '../transform/packet.ts'

const keyBytes = FlowKey.fixedSize
const keyWords = keyBytes / 4
const pairWords = 2 * keyWords
const addressBytes = 16
const at = offsetsOf(FlowKey)

/** The addresses and ports of a connection, as messages of directors have them. */
export interface ClientFlow {
  readonly client: Uint8Array
  readonly vip: Uint8Array
  readonly clientPort: number
  readonly vipPort: number
}

/** Both keys of one connection at a time, and room for those of all. */
export class FlowKeys {
  readonly #pair = Buffer.alloc(2 * keyBytes)
  readonly #words = new Int32Array(this.#pair.buffer, this.#pair.byteOffset, pairWords)
  readonly #slots: Int32Array
  readonly #free: Int32Array
  #freeCount: number
  readonly #server: Uint8Array
  readonly #serverPort: number

  /** Connections that there are places for. */
  readonly capacity: number
  /** Key of the server's packets: server → client. */
  readonly out: Buffer = this.#pair.subarray(0, keyBytes)
  /** Key of the client's: client → VIP. */
  readonly in: Buffer = this.#pair.subarray(keyBytes)
  /** Addresses, as views of the keys: they change with them. */
  readonly client: Buffer = this.in.subarray(at.source, at.source + addressBytes)
  readonly vip: Buffer = this.in.subarray(at.destination, at.destination + addressBytes)

  /** `server` has 16 bytes. */
  constructor(server: Uint8Array, serverPort: number, capacity: number) {
    this.capacity = capacity
    this.#server = server
    this.#serverPort = serverPort
    this.#slots = new Int32Array(capacity * pairWords)
    this.#free = Int32Array.from({ length: capacity }, (_, index) => capacity - 1 - index)
    this.#freeCount = capacity
  }

  /** Connections that there is still room for. */
  get room(): number {
    return this.#freeCount
  }

  /** Writes both keys. The second connection has the client's port until `secondPort` says otherwise. */
  set({ client, vip, clientPort, vipPort }: ClientFlow): void {
    writeFlowKey(this.in, client, vip, clientPort, vipPort)
    writeFlowKey(this.out, this.#server, client, this.#serverPort, clientPort)
  }

  /** The second connection's port at the client's side. */
  get secondPort(): number {
    return this.out.readUInt16BE(at.destinationPort)
  }
  set secondPort(port: number) {
    this.out.writeUInt16BE(port, at.destinationPort)
  }

  get clientPort(): number {
    return this.in.readUInt16BE(at.sourcePort)
  }
  get vipPort(): number {
    return this.in.readUInt16BE(at.destinationPort)
  }

  /** The client's key for a Map of JavaScript. */
  clientName(): string {
    return this.in.toString('latin1')
  }

  /** Hash of the client's key. */
  clientHash(): number {
    let hash = 0
    for (let word = keyWords; word < pairWords; word++) hash = Math.imul(hash ^ this.#words[word], 0x0100_0193) ^ (hash >>> 15)
    return hash >>> 0
  }

  /** Whether the client's key is the one that is kept there. */
  isClientOf(slot: number): boolean {
    const from = slot * pairWords
    for (let word = keyWords; word < pairWords; word++) if (this.#slots[from + word] !== this.#words[word]) return false
    return true
  }

  /** Keeps both keys; `room` has said that it can. Returns where. */
  keep(): number {
    const slot = this.#free[--this.#freeCount]
    this.keepAt(slot)
    return slot
  }

  /** Keeps them in the place of those that are there. */
  keepAt(slot: number): void {
    for (let word = 0, to = slot * pairWords; word < pairWords; word++, to++) this.#slots[to] = this.#words[word]
  }

  /** Both keys are again those that were kept there. */
  load(slot: number): void {
    for (let word = 0, from = slot * pairWords; word < pairWords; word++, from++) this.#words[word] = this.#slots[from]
  }

  /** The place is free for others. */
  release(slot: number): void {
    this.#free[this.#freeCount++] = slot
  }
}
