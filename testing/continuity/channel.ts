/** One TCP connection of the suite's client: requests with every field at will, answers by MessageId, breaks as they come. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { Capability, Command, headerOffset, headerSize, NtStatus, SecurityMode, unsolicitedMessageId } from '@holdfast/smb/messages'
import { NegotiateContextType, NegotiateRequest, NegotiateResponse } from '@holdfast/smb/messages'
import { PreauthHash } from '@holdfast/smb/security'
import type { Signer } from '@holdfast/smb/security'
import { FrameCutter, frameOf } from '../peers/frames.ts'
import type { Endpoint } from '../peers/server.ts'

/** How to introduce oneself (MS-SMB2 2.2.3). */
export interface Introduction {
  readonly clientGuid: string
  readonly dialect: number
  readonly capabilities: number
}

/** What stands in a request's header besides what the connection knows itself. */
export interface HeaderFields {
  readonly treeId?: number
  readonly sessionId?: bigint
  /** `HeaderFlags`. */
  readonly flags?: number
  readonly channelSequence?: number
}

/** A request that was sent. */
export interface Sent {
  readonly messageId: bigint
  /** Resolves to true with the interim answer, to false when the final one comes without. */
  readonly pending: Promise<boolean>
  /** The final answer; undefined when the connection ended first. */
  readonly answer: Promise<Buffer | undefined>
}

interface Waiting {
  readonly interim: (came: boolean) => void
  readonly final: (answer: Buffer | undefined) => void
}

const answerTimeoutMs = 10_000
const salt = Buffer.alloc(32, 0x5a)

/** Everything a client of our time announces. */
export const allCapabilities: number =
  Capability.leasing | Capability.largeMtu | Capability.multiChannel | Capability.persistentHandles | Capability.directoryLeasing

/** The name of an NT_STATUS. */
export function statusName(status: number): string {
  const known = Object.entries(NtStatus).find(([, code]) => code === status)
  return known?.[0] ?? `0x${status.toString(16).padStart(8, '0')}`
}

/** A connection. */
export class Channel {
  readonly #socket: Socket
  readonly #waiting = new Map<bigint, Waiting>()
  readonly #breaks: Buffer[] = []
  #wanted: ((message: Buffer) => void) | undefined
  #nextMessageId = 0n
  isOpen = true
  /** What a session on this connection signs with. */
  signer: Signer | undefined
  sessionId = 0n
  preauth = new PreauthHash()
  dialect = 0
  /** SMB2_GLOBAL_CAP_* of the server. */
  serverCapabilities = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    const cutter = new FrameCutter()
    socket.on('data', (chunk: Buffer) => {
      for (const frame of cutter.push(chunk)) this.#receive(frame.subarray(4))
    })
    // A reset is an end; whoever waits hears of it there.
    socket.on('error', () => undefined)
    socket.on('close', () => this.#end())
  }

  /** Connects and negotiates. */
  static async open({ host, port }: Endpoint, introduction: Introduction): Promise<Channel> {
    const socket = connect({ host, port })
    const channel = new Channel(socket)
    await once(socket, 'connect')
    socket.setNoDelay()
    await channel.#negotiate(introduction)
    return channel
  }

  /** Sends one request. */
  send(command: number, body: Buffer, { treeId = 0, sessionId = this.sessionId, flags = 0, channelSequence = 0 }: HeaderFields = {}): Sent {
    const message = Buffer.alloc(headerSize + body.length)
    const messageId = this.#nextMessageId++
    message.writeUInt32LE(0x424d_53fe, 0)
    message.writeUInt16LE(headerSize, 4)
    message.writeUInt16LE(this.dialect > 0x0202 ? 1 : 0, headerOffset.creditCharge)
    message.writeUInt32LE(channelSequence, headerOffset.status)
    message.writeUInt16LE(command, headerOffset.command)
    message.writeUInt16LE(64, headerOffset.credits)
    message.writeUInt32LE(flags >>> 0, headerOffset.flags)
    message.writeBigUInt64LE(messageId, headerOffset.messageId)
    message.writeUInt32LE(treeId, headerOffset.treeId)
    message.writeBigUInt64LE(sessionId, headerOffset.sessionId)
    body.copy(message, headerSize)
    this.signer?.sign(message, 'client')
    return this.#transmit(message, messageId)
  }

  /** Sends a request of a login, whose bytes belong to the pre-authentication integrity hash. */
  async setup(command: number, body: Buffer, preauth: PreauthHash, fields: HeaderFields = {}): Promise<Buffer> {
    const sent = this.send(command, body, fields)
    preauth.update(this.#last)
    return must(await sent.answer, 'login')
  }

  /** The next OPLOCK_BREAK notification, from its header on. Throws when none comes in time. */
  async nextBreak(): Promise<Buffer> {
    const there = this.#breaks.shift()
    if (there !== undefined) return there
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no break came')), answerTimeoutMs)
      this.#wanted = message => {
        clearTimeout(timer)
        this.#wanted = undefined
        resolve(message)
      }
    })
  }

  /** Breaks that came and nobody asked for. */
  get unreadBreaks(): number {
    return this.#breaks.length
  }

  /** The network fails: nothing is said, the connection is gone. */
  cut(): void {
    this.#socket.destroy()
    this.#end()
  }

  #last: Buffer = Buffer.alloc(0)

  #transmit(message: Buffer, messageId: bigint): Sent {
    const interim = Promise.withResolvers<boolean>()
    const final = Promise.withResolvers<Buffer | undefined>()
    const timer = setTimeout(() => final.reject(new Error(`no answer to command ${message.readUInt16LE(headerOffset.command)}`)), answerTimeoutMs)
    this.#waiting.set(messageId, {
      interim: interim.resolve,
      final(answer) {
        clearTimeout(timer)
        interim.resolve(false)
        final.resolve(answer)
      },
    })
    // Who sends and goes away does not wait for it.
    final.promise.catch(() => undefined)
    this.#last = message
    if (this.isOpen) this.#socket.write(frameOf(message))
    else this.#waiting.get(messageId)!.final(undefined)
    return { messageId, pending: interim.promise, answer: final.promise }
  }

  #receive(message: Buffer): void {
    const messageId = message.readBigUInt64LE(headerOffset.messageId)
    if (messageId === unsolicitedMessageId) {
      if (this.#wanted === undefined) this.#breaks.push(message)
      else this.#wanted(message)
      return
    }
    const waiting = this.#waiting.get(messageId)
    if (message.readUInt32LE(headerOffset.status) === NtStatus.PENDING) {
      waiting?.interim(true)
      return
    }
    this.#waiting.delete(messageId)
    waiting?.final(message)
  }

  #end(): void {
    this.isOpen = false
    for (const { final } of this.#waiting.values()) final(undefined)
    this.#waiting.clear()
  }

  async #negotiate({ clientGuid, dialect, capabilities }: Introduction): Promise<void> {
    const is311 = dialect >= 0x0311
    const preauthIntegrity = { contextType: NegotiateContextType.preauthIntegrityCapabilities, hashAlgorithms: [1], salt } as const
    const body = NegotiateRequest.toBytes({
      securityMode: SecurityMode.signingEnabled,
      capabilities: dialect >= 0x0300 ? capabilities : 0,
      clientGuid,
      dialects: [dialect],
      contexts: is311 ? [preauthIntegrity] : [],
    })
    const sent = this.send(Command.negotiate, body)
    this.preauth.update(this.#last)
    const answer = must(await sent.answer, 'NEGOTIATE')
    this.preauth.update(answer)
    const status = answer.readUInt32LE(headerOffset.status)
    if (status !== NtStatus.SUCCESS) throw new Error(`NEGOTIATE: ${statusName(status)}`)
    const negotiated = NegotiateResponse.decode(answer, headerSize)
    this.dialect = negotiated.dialectRevision
    this.serverCapabilities = negotiated.capabilities
  }
}

function must(answer: Buffer | undefined, what: string): Buffer {
  if (answer === undefined) throw new Error(`the connection ended during ${what}`)
  return answer
}
