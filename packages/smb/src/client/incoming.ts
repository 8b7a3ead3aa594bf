/** A response on its way from the socket to whoever asked. */
import { headerSize } from '../messages/index.ts'
import type { Header } from '../messages/index.ts'
import type { Frame } from './frames.ts'

/** Bytes that stay valid until they are released. */
export interface OwnedBytes {
  readonly bytes: Buffer
  /** Lets the memory be used again; to be called once. */
  release(): void
}

const noop = (): void => undefined

/** One message of a frame, decrypted. Only valid while it is being handled; `own` and `take` make bytes last. */
export class Incoming {
  readonly header: Header
  /** The whole message, header first. */
  readonly message: Buffer
  readonly #frame: Frame

  constructor(frame: Frame, header: Header, message: Buffer) {
    this.#frame = frame
    this.header = header
    this.message = message
  }

  get status(): number {
    return this.header.status
  }

  /** StructureSize of the body; 0 where there is none. */
  get structureSize(): number {
    return this.message.length < headerSize + 2 ? 0 : this.message.readUInt16LE(headerSize)
  }

  /** The message as a copy of its own. */
  own(): Buffer {
    return Buffer.from(this.message)
  }

  /** Makes a view of the message last: without a copy where it was received into a buffer of its own. */
  take(view: Buffer): OwnedBytes {
    const { owner } = this.#frame
    if (owner === undefined) return { bytes: Buffer.from(view), release: noop }
    owner.retain()
    return { bytes: view, release: () => owner.release() }
  }
}
