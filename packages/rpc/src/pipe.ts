/** The server's end of a named pipe in message mode that speaks DCE/RPC (MS-RPCE 2.1.1.2). */

import { randomBytes } from 'node:crypto'
import { MalformedError } from '@holdfast/wire'
import { NdrReader, NdrWriter, readParameters, writeParameters } from './ndr.ts'
import {
  type Bind,
  bindNakReason,
  type ContextAnswer,
  contextResult,
  faultStatus,
  featureNegotiationPrefix,
  headerBytes,
  ndrSyntax,
  packetFlag,
  packetType,
  type PduHeader,
  readBind,
  readHeader,
  readRequest,
  refusal,
  rejectReason,
  writeBindAck,
  writeBindNak,
  writeFault,
  writeResponse,
} from './pdu.ts'
import { type CallContext, type MaybePromise, type Operation, RpcFault, type RpcService, type RpcUser } from './service.ts'

/** What one pipe may take up. */
export interface RpcPipeLimits {
  /** Stub data of one request over all its fragments. */
  readonly requestBytes: number
  /** Stub data of one response. */
  readonly responseBytes: number
  /** Response bytes the client has not read; a request beyond is answered with a fault. */
  readonly unreadBytes: number
  /** Presentation contexts of one pipe. */
  readonly contexts: number
  /** Longest fragment that is sent or asked for. */
  readonly fragmentBytes: number
}

/** Ample for every client known. */
export const defaultRpcPipeLimits: RpcPipeLimits = {
  requestBytes: 256 * 1024,
  responseBytes: 4 * 1024 * 1024,
  unreadBytes: 8 * 1024 * 1024,
  contexts: 16,
  fragmentBytes: 4280,
}

/** What answers on a pipe, and who has opened it. */
export interface RpcPipeOptions {
  readonly services: readonly RpcService[]
  readonly context: { readonly user: RpcUser }
  /** The pipe's name without `\PIPE\`, for the bind_ack's secondary address. */
  readonly name?: string
  readonly limits?: Partial<RpcPipeLimits>
  readonly associationGroup?: number
}

/** A part of a message, or all of it. */
export interface PipeRead {
  readonly bytes: Buffer
  /** The message has more than fitted: STATUS_BUFFER_OVERFLOW; the next read goes on with it. */
  readonly more: boolean
}

interface RunningCall {
  readonly callId: number
  readonly contextId: number
  readonly opnum: number
  readonly bigEndian: boolean
  stubs: Buffer[]
  stubBytes: number
}

/** The PDUs a client may send before its bind: a bind. */
const knownFromClient = new Set<number>(Object.values(packetType))

/**
 * One open pipe. Bytes written are cut into fragments, fragments joined to calls, calls answered in their order; what is read are
 * the answers, one fragment a message.
 *
 * @example
 * import { hex } from '@holdfast/wire'
 *
 * const services = [srvsvc({ serverName: 'FILES', comment: '', shares: () => [] })]
 * const user = { name: 'alice', domain: 'FILES', sid: 'S-1-5-21-1-2-3-1000', isAdmin: false }
 * const pipe = new RpcPipe({ services, context: { user }, name: 'srvsvc' })
 * const bind = hex(`05000b03 10000000 48000000 01000000 b810b810 00000000 01000000 00000100
 *   c84f324b 7016d301 12785a47 bf6ee188 03000000 045d888a eb1cc911 9fe80800 2b104860 02000000`)
 * const answer = await pipe.transceive(bind, 4280)
 * answer?.bytes[2] // => pdu.packetType.bindAck
 */
export class RpcPipe {
  readonly #services: readonly RpcService[]
  readonly #limits: RpcPipeLimits
  readonly #context: CallContext
  readonly #name: string
  #associationGroup: number
  #bound = new Map<number, RpcService>()
  #isBound = false
  #fragmentBytes: number
  #received: Buffer = Buffer.alloc(0)
  #call: RunningCall | undefined
  #output: Buffer[] = []
  #unreadBytes = 0
  #partlyRead = 0
  #busy: Promise<void> | undefined
  #broken: MalformedError | undefined

  constructor({ services, context, name = services[0]?.name ?? '', limits = {}, associationGroup }: RpcPipeOptions) {
    this.#services = services
    this.#limits = { ...defaultRpcPipeLimits, ...limits }
    this.#context = { user: context.user, handles: new Map() }
    this.#name = name
    this.#fragmentBytes = this.#limits.fragmentBytes
    this.#associationGroup = associationGroup ?? (randomBytes(4).readUInt32LE() | 1) >>> 0
  }

  /** Bytes that a read would find, and those of the message in front. FilePipeLocalInformation and FSCTL_PIPE_PEEK ask for them. */
  get available(): { readonly totalBytes: number; readonly messageBytes: number; readonly messages: number } {
    return { totalBytes: this.#unreadBytes, messageBytes: (this.#output[0]?.length ?? 0) - this.#partlyRead, messages: this.#output.length }
  }

  /**
   * Takes what the client wrote: a fragment, several, or a part of one (copied where it has to be kept). Resolves when all
   * complete calls are answered. Throws `MalformedError` when it is not DCE/RPC; the pipe is then broken, every later call throws the same.
   */
  write(bytes: Uint8Array): MaybePromise<void> {
    if (this.#busy === undefined) return this.#settle(this.#consume(bytes))
    const copy = Buffer.from(bytes)
    return this.#settle(this.#busy.then(() => this.#consume(copy)))
  }

  /** The next message or its rest, at most `maxLengthBytes` of it; undefined when there is none (STATUS_PIPE_EMPTY, or wait). */
  read(maxLengthBytes: number): MaybePromise<PipeRead | undefined> {
    if (this.#busy !== undefined) return this.#busy.then(() => this.#next(maxLengthBytes))
    return this.#next(maxLengthBytes)
  }

  /** FSCTL_PIPE_TRANSCEIVE: a write and the first read of its answer. */
  transceive(bytes: Uint8Array, maxLengthBytes: number): MaybePromise<PipeRead | undefined> {
    const written = this.write(bytes)
    return written === undefined ? this.#next(maxLengthBytes) : written.then(() => this.#next(maxLengthBytes))
  }

  #settle(work: MaybePromise<void>): MaybePromise<void> {
    if (work === undefined) return
    const settled = work.then(
      () => {
        if (this.#busy === quiet) this.#busy = undefined
      },
      (error: unknown) => {
        if (this.#busy === quiet) this.#busy = undefined
        throw error
      },
    )
    // Those who only wait for their turn do not care how it went; a broken pipe tells them by itself.
    const quiet: Promise<void> = settled.catch(() => undefined)
    this.#busy = quiet
    return settled
  }

  #next(maxLengthBytes: number): PipeRead | undefined {
    if (this.#broken) throw this.#broken
    const message = this.#output[0]
    if (message === undefined) return undefined
    const bytes = message.subarray(this.#partlyRead, this.#partlyRead + maxLengthBytes)
    this.#partlyRead += bytes.length
    this.#unreadBytes -= bytes.length
    const more = this.#partlyRead < message.length
    if (!more) {
      this.#output.shift()
      this.#partlyRead = 0
    }
    return { bytes, more }
  }

  #answer(...fragments: Buffer[]): void {
    for (const fragment of fragments) {
      this.#output.push(fragment)
      this.#unreadBytes += fragment.length
    }
  }

  #consume(bytes: Uint8Array): MaybePromise<void> {
    if (this.#broken) throw this.#broken
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return this.#consumeFrom(this.#received.length === 0 ? view : Buffer.concat([this.#received, view]))
  }

  #consumeFrom(view: Buffer): MaybePromise<void> {
    try {
      while (view.length >= headerBytes) {
        const header = readHeader(view)
        if (view.length < header.fragmentBytes) break
        const fragment = view.subarray(0, header.fragmentBytes)
        view = view.subarray(header.fragmentBytes)
        const work = this.#onFragment(header, fragment)
        if (work !== undefined) {
          // The caller's memory is only ours until we return.
          const rest = Buffer.from(view)
          this.#received = Buffer.alloc(0)
          return work.then(() => this.#consumeFrom(rest))
        }
      }
    } catch (error) {
      if (error instanceof MalformedError) this.#break(error)
      throw error
    }
    this.#received = Buffer.from(view)
  }

  #break(error: MalformedError): void {
    this.#broken = error
    this.#received = Buffer.alloc(0)
    this.#call = undefined
    this.#output = []
    this.#unreadBytes = 0
    this.#partlyRead = 0
    this.#context.handles.clear()
  }

  #onFragment(header: PduHeader, fragment: Buffer): MaybePromise<void> {
    // The verifier and its 8-octet trailer are at the end (MS-RPCE 2.2.2.11).
    const body = fragment.subarray(headerBytes, fragment.length - (header.authBytes === 0 ? 0 : header.authBytes + 8))
    switch (header.type) {
      case packetType.bind:
      case packetType.alterContext:
        return this.#onBind(header, readBindOrNothing(header, body))
      case packetType.request:
        return this.#onRequest(header, body)
      case packetType.orphaned:
        if (this.#call?.callId === header.callId) this.#call = undefined
        return
      case packetType.cancel:
      case packetType.auth3:
        return
      default:
        throw new MalformedError('RPC_TYPE', `${knownFromClient.has(header.type) ? 'unexpected' : 'unknown'} PDU type ${header.type}`)
    }
  }

  #onBind(header: PduHeader, bind: Bind | undefined): void {
    const isBind = header.type === packetType.bind
    if (bind === undefined) return this.#answer(writeBindNak(header.callId, bindNakReason.authenticationType))
    if (header.minorVersion > 1) return this.#answer(writeBindNak(header.callId, bindNakReason.protocolVersion))
    if (isBind === this.#isBound) throw new MalformedError('RPC_STATE', isBind ? 'a second bind on one pipe' : 'alter_context before bind')
    if (this.#unreadBytes > this.#limits.unreadBytes) throw new MalformedError('RPC_UNREAD', 'answers are not read')
    if (isBind) {
      this.#isBound = true
      // Every implementation can receive 1432 octets (C706 12.6.3.1, MustRecvFragSize).
      this.#fragmentBytes = Math.max(1432, Math.min(this.#limits.fragmentBytes, bind.maxReceiveBytes))
      if (bind.associationGroup !== 0) this.#associationGroup = bind.associationGroup
    }
    const answers = bind.contexts.map(context => this.#onContext(context))
    this.#answer(
      writeBindAck({
        type: isBind ? packetType.bindAck : packetType.alterContextResponse,
        callId: header.callId,
        maxTransmitBytes: this.#fragmentBytes,
        maxReceiveBytes: Math.max(1432, Math.min(this.#limits.fragmentBytes, bind.maxTransmitBytes)),
        associationGroup: this.#associationGroup,
        secondaryAddress: isBind ? `\\PIPE\\${this.#name}` : '',
        answers,
      }),
    )
  }

  #onContext({ id, abstractSyntax, transferSyntaxes }: Bind['contexts'][number]): ContextAnswer {
    const offered = transferSyntaxes[0]
    // Bind-time feature negotiation (MS-RPCE 3.3.1.5.3): acknowledged with the features we have, none.
    if (offered?.uuid.startsWith(featureNegotiationPrefix)) {
      return { result: contextResult.negotiateAck, reason: 0, transferSyntax: { uuid: '00000000-0000-0000-0000-000000000000', version: 0 } }
    }
    const service = this.#services.find(
      ({ uuid, majorVersion, minorVersion }) =>
        uuid === abstractSyntax.uuid && majorVersion === (abstractSyntax.version & 0xffff) && minorVersion >= abstractSyntax.version >>> 16,
    )
    if (service === undefined) return refusal(rejectReason.abstractSyntax)
    if (!transferSyntaxes.some(syntax => syntax.uuid === ndrSyntax.uuid && syntax.version === ndrSyntax.version))
      return refusal(rejectReason.transferSyntaxes)
    if (this.#bound.size >= this.#limits.contexts && !this.#bound.has(id)) return refusal(rejectReason.localLimit)
    this.#bound.set(id, service)
    return { result: contextResult.acceptance, reason: 0, transferSyntax: ndrSyntax }
  }

  #onRequest(header: PduHeader, body: Buffer): MaybePromise<void> {
    const { contextId, opnum, stub } = readRequest(body, header)
    if (header.flags & packetFlag.first) {
      if (this.#call !== undefined) throw new MalformedError('RPC_FRAGMENT', `call ${header.callId} begins within call ${this.#call.callId}`)
      this.#call = { callId: header.callId, contextId, opnum, bigEndian: header.bigEndian, stubs: [], stubBytes: 0 }
    }
    const call = this.#call
    if (call === undefined || call.callId !== header.callId || call.contextId !== contextId || call.opnum !== opnum) {
      throw new MalformedError('RPC_FRAGMENT', `a fragment of call ${header.callId} that did not begin`)
    }
    call.stubBytes += stub.length
    if (call.stubBytes > this.#limits.requestBytes)
      throw new MalformedError('RPC_REQUEST_BYTES', `a request of more than ${this.#limits.requestBytes} bytes`)
    const isLast = (header.flags & packetFlag.last) !== 0
    call.stubs.push(isLast && call.stubs.length === 0 ? stub : Buffer.from(stub))
    if (!isLast) return
    this.#call = undefined
    if (header.authBytes !== 0) return this.#fault(call, faultStatus.accessDenied)
    return this.#execute(call)
  }

  #fault(call: RunningCall, status: number): void {
    this.#answer(writeFault(call.callId, call.contextId, status))
  }

  #execute(call: RunningCall): MaybePromise<void> {
    if (this.#unreadBytes > this.#limits.unreadBytes) throw new MalformedError('RPC_UNREAD', 'answers are not read')
    const service = this.#bound.get(call.contextId)
    if (service === undefined) return this.#fault(call, faultStatus.unknownInterface)
    const operation = Object.hasOwn(service.operations, call.opnum) ? service.operations[call.opnum] : undefined
    if (operation === undefined) return this.#fault(call, faultStatus.operationRange)
    const stub = call.stubs.length === 1 ? call.stubs[0] : Buffer.concat(call.stubs, call.stubBytes)
    try {
      const input = readParameters(new NdrReader(stub, call), operation.input)
      const output = operation.handle(input, this.#context)
      if (!(output instanceof Promise)) return this.#respond(call, operation, output)
      return output.then(
        result => this.#respond(call, operation, result),
        (error: unknown) => this.#onError(call, error),
      )
    } catch (error) {
      this.#onError(call, error)
    }
  }

  #onError(call: RunningCall, error: unknown): void {
    if (error instanceof MalformedError) return this.#fault(call, faultStatus.badStubData)
    if (error instanceof RpcFault) return this.#fault(call, error.status)
    throw error
  }

  #respond(call: RunningCall, operation: Operation, output: Record<string, unknown>): void {
    const writer = new NdrWriter({ limitBytes: this.#limits.responseBytes })
    try {
      writeParameters(writer, operation.output, output as never)
    } catch (error) {
      if (error instanceof RangeError) return this.#fault(call, faultStatus.outOfMemory)
      throw error
    }
    this.#answer(...writeResponse(call.callId, call.contextId, writer.finish(), this.#fragmentBytes))
  }
}

/**
 * Undefined for a bind that asks for authentication within RPC: over a named pipe the SMB session has authenticated
 * the caller, and signed or encrypted the pipe's bytes.
 */
function readBindOrNothing(header: PduHeader, body: Buffer): Bind | undefined {
  return header.authBytes === 0 ? readBind(body, header.bigEndian) : undefined
}
