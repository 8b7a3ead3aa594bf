/** WRITE, pipelined; the payload is put where it will be sent from (MS-SMB2 3.2.4.7). */
import { inPlace } from '@holdfast/wire'
import type { BufferPool, PooledBuffer } from './buffers.ts'
import { SmbError } from './errors.ts'
import { payloadOffset } from './encode.ts'
import { Window } from './pipeline.ts'
import type { TransferOptions } from './pipeline.ts'
import { checkBytes, transferSizes } from './reading.ts'
import type { OpenFile } from './reading.ts'
import { operations } from './requests.ts'

/** A message that waits for its payload. */
export interface Payload {
  /** To be filled from its beginning. */
  readonly bytes: Buffer
  readonly message: PooledBuffer
}

/** Writes a file in order of the calls; at most `concurrency` WRITEs are under way. After a failure everything fails in the same way. */
export class Writer {
  readonly chunkBytes: number
  readonly #file: OpenFile
  readonly #pool: BufferPool
  readonly #signal: AbortSignal | undefined
  readonly #window: Window
  #offset: number
  #partial: Payload | undefined
  #partialBytes = 0

  constructor(file: OpenFile, offset: number, options: TransferOptions = {}) {
    const { concurrency, chunkBytes } = transferSizes(options, file.tree.session.negotiated.maxWriteBytes)
    this.chunkBytes = chunkBytes
    this.#file = file
    this.#pool = file.tree.session.connection.pool
    this.#signal = options.signal
    this.#window = new Window(concurrency)
    this.#offset = checkBytes(offset, 'offset')
  }

  /** Where the next byte goes. */
  get offset(): number {
    return this.#offset + this.#partialBytes
  }

  /** A message to fill, when there is room for it to be sent. Give it to `send` or `drop`. */
  async payload(lengthBytes: number = this.chunkBytes): Promise<Payload> {
    await this.#window.room()
    const message = this.#pool.take(payloadOffset + lengthBytes)
    return { bytes: message.bytes.subarray(payloadOffset), message }
  }

  /** Sends the first `lengthBytes` of a payload. */
  send({ message }: Payload, lengthBytes: number): void {
    const { tree, fileId, path } = this.#file
    const offset = this.#offset
    this.#offset += lengthBytes
    const written = tree.exchange(
      {
        operation: operations.write,
        value: { offset: BigInt(offset), fileId, data: inPlace(lengthBytes) },
        scope: tree,
        payloadBytes: lengthBytes,
        path,
        message,
      },
      { signal: this.#signal },
    )
    this.#window.add(
      written.then(({ value }) => {
        if (value!.count !== lengthBytes) throw new SmbError('EIO', `WRITE '${path}': ${value!.count} of ${lengthBytes} bytes written`, { path })
      }),
    )
  }

  /** Takes back what `payload` gave. */
  drop({ message }: Payload): void {
    message.release()
  }

  /** Copies bytes in, and sends what is full. The caller may change them afterwards. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      this.#partial ??= await this.payload()
      const target = this.#partial.bytes
      const count = Math.min(target.length - this.#partialBytes, bytes.length - at)
      target.set(at === 0 && count === bytes.length ? bytes : bytes.subarray(at, at + count), this.#partialBytes)
      at += count
      this.#partialBytes += count
      if (this.#partialBytes === target.length) this.#sendPartial()
    }
  }

  /** Copies bytes in and sends them all, in as few requests as can be. */
  async writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(this.chunkBytes, bytes.length - at)
      const payload = await this.payload(count)
      payload.bytes.set(count === bytes.length ? bytes : bytes.subarray(at, at + count))
      this.send(payload, count)
      at += count
    }
  }

  /** Sends what is left, and waits until everything is written. */
  async finish(): Promise<void> {
    if (this.#partialBytes > 0) this.#sendPartial()
    await this.#window.finish()
  }

  /** Forgets what was not sent, and waits until nothing is under way. */
  async abandon(): Promise<void> {
    if (this.#partial !== undefined) this.drop(this.#partial)
    this.#partial = undefined
    this.#partialBytes = 0
    await this.#window.finish().catch(() => undefined)
  }

  #sendPartial(): void {
    const payload = this.#partial!
    const lengthBytes = this.#partialBytes
    this.#partial = undefined
    this.#partialBytes = 0
    this.send(payload, lengthBytes)
  }
}
