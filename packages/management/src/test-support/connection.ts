/** The worker's end of a client connection, for tests. */

import type { Connection, Message, Settlement } from '@holdfast/engine'

/** What is sent, and what else is done, is kept. */
export class TestConnection {
  readonly id = 1
  readonly remoteAddress = '192.0.2.1'
  readonly remotePort = 50_000
  readonly localAddress = '192.0.2.2'
  readonly localPort = 8080
  readonly sent: string[] = []
  readonly said: string[] = []
  unsentBytes = 0
  state: readonly number[] = [0, 0, 0, 0]
  /** Bytes that `allocate` gives out. */
  memoryBytes = Infinity

  get text(): string {
    return this.sent.join('')
  }

  allocate(lengthBytes: number): Buffer {
    if (lengthBytes > this.memoryBytes) throw new Error('no shared memory')
    return Buffer.alloc(lengthBytes)
  }
  send(buffer: Buffer, lengthBytes: number, finishes?: Message): void {
    this.sent.push(buffer.toString('utf8', 0, lengthBytes))
    finishes?.release()
  }
  sendPart(buffer: Buffer, fromBytes: number, lengthBytes: number, { finishes = [], state }: Settlement = {}): void {
    this.sent.push(buffer.toString('utf8', fromBytes, fromBytes + lengthBytes))
    for (const message of finishes) message.release()
    if (state !== undefined) this.state = state
  }
  reframe(variant: number): void {
    this.said.push(`reframe ${variant}`)
  }
  discard(): void {}
  isSilent(): boolean {
    return false
  }
  checkpoint(key: string): void {
    this.said.push(`checkpoint ${key}`)
  }
  moveTo(worker: number): void {
    this.said.push(`move to ${worker}`)
  }
  stay(): void {
    this.said.push('stay')
  }
  known(): void {
    this.said.push('known')
  }
  close(reason: string): void {
    this.said.push(`close: ${reason}`)
  }
}

/** Has what HTTP uses of a connection. */
export const testConnection = (): TestConnection & Connection => new TestConnection() as TestConnection & Connection

/** A message that counts how often it is released. */
export class TestMessage implements Message {
  readonly bytes: Buffer
  readonly orphaned: boolean
  releases = 0
  constructor(text: string, orphaned = false) {
    this.bytes = Buffer.from(text, 'latin1')
    this.orphaned = orphaned
  }
  release(): void {
    this.releases++
  }
}
