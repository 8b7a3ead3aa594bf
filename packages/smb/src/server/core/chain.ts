/**
 * What came in one frame — one request or a compound of several — and the frame that answers it.
 *
 * All responses are written into one buffer of the connection's shared memory, in place: header, body, padding to 8 bytes where another
 * follows; each is signed when it is known whether another follows, and the whole is encrypted where it stands.
 */
import type { Message } from '@holdfast/engine'
import { headerOffset } from '../../messages/header.ts'
import { transformHeaderLengthBytes } from '../../security/encryption.ts'
import type { PreauthHash } from '../../security/preauth.ts'
import type { Signer } from '../../security/signing.ts'
import type { SmbConnection } from './connection.ts'
import type { ServerOpen } from './handler-api.ts'
import type { Session } from './session.ts'
import type { Tree } from './tree.ts'

/** Room that a compound's buffer begins with: its responses are small as a rule, and growing costs a copy. */
const compoundRoomBytes = 4096

export class Chain {
  readonly connection: SmbConnection
  readonly message: Message
  /** The requests in the clear. */
  readonly bytes: Buffer
  /** The session whose keys the frame was encrypted with. */
  readonly encryptedBy: Session | undefined
  /** The session whose keys the answer is to be encrypted with. */
  encryptFor: Session | undefined
  readonly isCompound: boolean
  /** When the request that runs came to the worker, or the one before it was answered; by performance.now. */
  sinceMs: number
  /** Where the next request begins; -1 after the last. */
  nextOffset = 0

  // What related requests take over from the ones before (3.3.5.2.7.2).
  isFirst = true
  session: Session | undefined = undefined
  tree: Tree | undefined = undefined
  open: ServerOpen | undefined = undefined
  /** Takes in the response of NEGOTIATE or SESSION_SETUP exactly as it is sent (3.3.5.4, 3.3.5.5). */
  preauth: PreauthHash | undefined = undefined
  /** Status of a failed CREATE, which the related requests after it get as well. */
  createStatus = 0

  #buffer: Buffer | undefined = undefined
  #start = 0
  /** End of the last response. */
  #used = 0
  /** Header of the last response, -1 when there is none in the buffer. */
  #last = -1
  #lastSigner: Signer | undefined = undefined
  #count = 0
  #isOver = false
  #isReleased = false

  constructor(connection: SmbConnection, options: { message: Message; bytes: Buffer; encryptedBy: Session | undefined; arrivedAtMs: number }) {
    this.sinceMs = options.arrivedAtMs
    this.connection = connection
    this.message = options.message
    this.bytes = options.bytes
    this.encryptedBy = options.encryptedBy
    this.encryptFor = options.encryptedBy
    this.isCompound = options.bytes.readUInt32LE(headerOffset.nextCommand) !== 0
  }

  /** The answer is to be encrypted with the keys of `session`, unless it has been decided already. Before the first response is begun. */
  encryptWith(session: Session): void {
    if (this.encryptFor === undefined && this.#buffer === undefined && session.encryptor !== undefined) this.encryptFor = session
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** True when responses before the current request's have not been sent yet. */
  get hasUnsent(): boolean {
    return this.#last >= 0
  }

  /** Where the next response's header is to stand, with room for `lengthBytes` from there on. */
  room(lengthBytes: number): number {
    if (this.#buffer === undefined) {
      this.#start = this.encryptFor === undefined ? 0 : transformHeaderLengthBytes
      this.#used = this.#start
      const wanted = this.#start + lengthBytes
      this.#buffer = this.connection.link.allocate(this.isCompound && this.nextOffset >= 0 ? Math.max(wanted, compoundRoomBytes) : wanted + 8)
      return this.#start
    }
    // Padding counts from the first response's header.
    const at = this.#start + ((this.#used - this.#start + 7) & -8)
    const wanted = at + lengthBytes + 8
    if (wanted > this.#buffer.length) {
      const grown = this.connection.link.allocate(this.nextOffset >= 0 ? wanted + compoundRoomBytes : wanted)
      this.#buffer.copy(grown, 0, 0, this.#used)
      this.connection.link.discard(this.#buffer)
      this.#buffer = grown
    }
    return at
  }

  /** The buffer that `room` spoke of. It may be another one after the next call of `room`. */
  get buffer(): Buffer {
    return this.#buffer!
  }

  /** Takes in the response whose header stands at `at` (from `room`) and that ends at `end`. */
  append(at: number, end: number, signer: Signer | undefined): void {
    if (this.#last >= 0) {
      this.#pad(at)
      this.#seal(at, at - this.#last)
    }
    this.#last = at
    this.#lastSigner = signer
    this.#used = end
    this.#count += 1
  }

  #pad(end: number): void {
    const buffer = this.#buffer!
    for (let i = this.#used; i < end; i++) buffer[i] = 0
    this.#used = end
  }

  /** Finishes the last response, which ends at `end`. */
  #seal(end: number, nextCommand: number): void {
    const buffer = this.#buffer!
    buffer.writeUInt32LE(nextCommand, this.#last + headerOffset.nextCommand)
    this.#lastSigner?.sign(buffer.subarray(this.#last, end), 'server')
  }

  /** Sends the responses there are. `isFinal`: the frame is answered, its memory goes back. */
  flush(isFinal: boolean): void {
    if (this.#isOver) return
    const { connection } = this
    const buffer = this.#buffer
    if (this.#last < 0 || buffer === undefined) {
      if (isFinal) this.abandon({ keepMessage: false })
      return
    }
    // Windows pads the last one of several as well.
    if (this.#count > 1) this.#pad(this.#start + ((this.#used - this.#start + 7) & -8))
    const end = this.#used
    this.#seal(end, 0)
    this.preauth?.update(buffer.subarray(this.#last, end))
    this.preauth = undefined
    if (this.encryptFor !== undefined) this.encryptFor.encryptor!.encrypt(buffer.subarray(0, end), this.encryptFor.id)
    this.#buffer = undefined
    this.#last = -1
    this.#lastSigner = undefined
    this.#count = 0
    const finishes = isFinal && !this.#isReleased ? this.message : undefined
    if (isFinal) this.#isOver = this.#isReleased = true
    connection.counters.bytesSent.add(end)
    connection.link.send(buffer, end, finishes)
  }

  /** Ends without an answer: the connection has gone (or goes, by `moveTo`, with the message). */
  abandon(options: { readonly keepMessage: boolean }): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#buffer !== undefined) this.connection.link.discard(this.#buffer)
    this.#buffer = undefined
    if (!options.keepMessage) this.releaseMessage()
    this.#isReleased = true
  }

  /** Gives the requests' memory back. */
  releaseMessage(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.message.release()
  }
}
