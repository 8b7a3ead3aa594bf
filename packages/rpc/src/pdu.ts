/** Connection-oriented DCE/RPC PDUs (C706 12.6; MS-RPCE 2.2.2), read in either byte order, written little-endian. */

import { MalformedError } from '@holdfast/wire'

/** Length of the common header. */
export const headerBytes = 16
/** `alloc_hint`, `p_cont_id` and `opnum` (or `cancel_count`) behind the common header. */
export const callHeaderBytes = 24

/** PTYPE (C706 12.6.3.1). */
export const packetType = {
  request: 0,
  response: 2,
  fault: 3,
  bind: 11,
  bindAck: 12,
  bindNak: 13,
  alterContext: 14,
  alterContextResponse: 15,
  auth3: 16,
  shutdown: 17,
  cancel: 18,
  orphaned: 19,
} as const

/** C706 12.6.3.1 */
export const packetFlag = { first: 0x01, last: 0x02, pendingCancel: 0x04, didNotExecute: 0x20, maybe: 0x40, objectUuid: 0x80 } as const

/** Fault codes (C706 appendix E, MS-RPCE 3.1.1.5.5). */
export const faultStatus = {
  accessDenied: 0x0000_0005,
  badStubData: 0x0000_06f7,
  outOfMemory: 0x1c00_001d,
  operationRange: 0x1c01_0002,
  unknownInterface: 0x1c01_0003,
  protocolError: 0x1c01_000b,
  contextMismatch: 0x1c00_001a,
} as const

/** p_cont_def_result_t and its reasons (C706 12.6.3.1; negotiate_ack: MS-RPCE 2.2.2.4). */
export const contextResult = { acceptance: 0, userRejection: 1, providerRejection: 2, negotiateAck: 3 } as const
export const rejectReason = { none: 0, abstractSyntax: 1, transferSyntaxes: 2, localLimit: 3 } as const
/** p_reject_reason_t (C706 12.6.4.5; 8: MS-RPCE 2.2.2.5). */
export const bindNakReason = { notSpecified: 0, temporaryCongestion: 1, localLimit: 2, protocolVersion: 4, authenticationType: 8 } as const

/** The common header of every PDU (C706 12.6.3.1). */
export interface PduHeader {
  readonly type: number
  readonly flags: number
  readonly bigEndian: boolean
  readonly fragmentBytes: number
  readonly authBytes: number
  readonly callId: number
  readonly minorVersion: number
}

/** An interface or a transfer syntax with its version (p_syntax_id_t). */
export interface Syntax {
  /** Lower-case text form. */
  readonly uuid: string
  /** Major in the low 16 bits, minor in the high ones. */
  readonly version: number
}

/** One element of a bind: an interface, and how its data may be encoded (p_cont_elem_t). */
export interface PresentationContext {
  readonly id: number
  readonly abstractSyntax: Syntax
  readonly transferSyntaxes: readonly Syntax[]
}

/** The body of a bind or alter_context. */
export interface Bind {
  readonly maxTransmitBytes: number
  readonly maxReceiveBytes: number
  readonly associationGroup: number
  readonly contexts: readonly PresentationContext[]
}

/** What became of a presentation context (p_result_t). */
export interface ContextAnswer {
  readonly result: number
  readonly reason: number
  readonly transferSyntax: Syntax
}

/** NDR, version 2.0 (C706 appendix I). */
export const ndrSyntax: Syntax = { uuid: '8a885d04-1ceb-11c9-9fe8-08002b104860', version: 2 }
/** NDR64 (MS-RPCE 2.2.4.12); not spoken here. */
export const ndr64Syntax: Syntax = { uuid: '71710533-beba-4937-8319-b5dbef9ccc36', version: 1 }
/** The first 8 octets of a bind-time feature negotiation's transfer syntax (MS-RPCE 3.3.1.5.3); the flags follow in the ninth. */
export const featureNegotiationPrefix = '6cb71c2c-9812-4540-'
const noSyntax: Syntax = { uuid: '00000000-0000-0000-0000-000000000000', version: 0 }
/** The answer to a presentation context that is refused, with its reason. */
export const refusal = (reason: number): ContextAnswer => ({ result: contextResult.providerRejection, reason, transferSyntax: noSyntax })

/** The text form of a UUID in the byte order of the PDU. */
export function readUuid(bytes: Uint8Array, bigEndian: boolean): string {
  const b = Buffer.from(bytes)
  if (!bigEndian) {
    b.subarray(0, 4).reverse()
    b.subarray(4, 6).reverse()
    b.subarray(6, 8).reverse()
  }
  const hex = b.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** A UUID's text as 16 octets, little-endian. */
export function uuidBytes(uuid: string): Buffer {
  const b = Buffer.from(uuid.replaceAll('-', ''), 'hex')
  b.subarray(0, 4).reverse()
  b.subarray(4, 6).reverse()
  b.subarray(6, 8).reverse()
  return b
}

/** Reads the common header (C706 12.6.3.1). `bytes` holds 16 octets at least. Throws `MalformedError`. */
export function readHeader(bytes: Buffer): PduHeader {
  if (bytes[0] !== 5) throw new MalformedError('RPC_VERSION', `version ${bytes[0]}.${bytes[1]} of DCE/RPC is not spoken here`)
  // The integer representation is the upper half of the first octet: 1 little-endian, 0 big-endian (C706 14.2.5).
  const representation = bytes[4] >> 4
  if (representation > 1) throw new MalformedError('RPC_DREP', `unknown data representation ${bytes[4]}`)
  const bigEndian = representation === 0
  const fragmentBytes = bigEndian ? bytes.readUInt16BE(8) : bytes.readUInt16LE(8)
  const authBytes = bigEndian ? bytes.readUInt16BE(10) : bytes.readUInt16LE(10)
  if (fragmentBytes < headerBytes) throw new MalformedError('RPC_LENGTH', `a fragment of ${fragmentBytes} bytes`)
  if (authBytes !== 0 && authBytes + 8 > fragmentBytes - headerBytes)
    throw new MalformedError('RPC_AUTH_LENGTH', 'the verifier is longer than its fragment')
  const callId = bigEndian ? bytes.readUInt32BE(12) : bytes.readUInt32LE(12)
  return { type: bytes[2], flags: bytes[3], bigEndian, fragmentBytes, authBytes, callId, minorVersion: bytes[1] }
}

/** The body of a bind or alter_context (C706 12.6.4.3, 12.6.4.1), without header and verifier. */
export function readBind(body: Buffer, bigEndian: boolean): Bind {
  const u16 = (at: number) => (bigEndian ? body.readUInt16BE(at) : body.readUInt16LE(at))
  const u32 = (at: number) => (bigEndian ? body.readUInt32BE(at) : body.readUInt32LE(at))
  const need = (end: number) => {
    if (end > body.length) throw new MalformedError('RPC_TRUNCATED', 'a bind ends within its context list')
  }
  const syntax = (at: number): Syntax => ({ uuid: readUuid(body.subarray(at, at + 16), bigEndian), version: u32(at + 16) })
  need(12)
  const contexts: PresentationContext[] = []
  let at = 12
  for (let left = body[8]; left > 0; left--) {
    need(at + 24)
    const transferSyntaxes: Syntax[] = []
    const id = u16(at)
    const count = body[at + 2]
    const abstractSyntax = syntax(at + 4)
    at += 24
    need(at + count * 20)
    for (let i = 0; i < count; i++, at += 20) transferSyntaxes.push(syntax(at))
    contexts.push({ id, abstractSyntax, transferSyntaxes })
  }
  return { maxTransmitBytes: u16(0), maxReceiveBytes: u16(2), associationGroup: u32(4), contexts }
}

/** One fragment of a request. */
export interface Call {
  readonly contextId: number
  readonly opnum: number
  /** A view of the fragment. */
  readonly stub: Buffer
}

/** The body of a request fragment (C706 12.6.4.9), without header and verifier. */
export function readRequest(body: Buffer, header: PduHeader): Call {
  const stubAt = 8 + (header.flags & packetFlag.objectUuid ? 16 : 0)
  if (body.length < stubAt) throw new MalformedError('RPC_TRUNCATED', 'a request ends within its header')
  const contextId = header.bigEndian ? body.readUInt16BE(4) : body.readUInt16LE(4)
  const opnum = header.bigEndian ? body.readUInt16BE(6) : body.readUInt16LE(6)
  return { contextId, opnum, stub: body.subarray(stubAt) }
}

interface Outgoing {
  readonly type: number
  readonly callId: number
  readonly flags?: number
  readonly bodyBytes: number
}

function allocate({ type, callId, flags = packetFlag.first | packetFlag.last, bodyBytes }: Outgoing): Buffer {
  const pdu = Buffer.alloc(headerBytes + bodyBytes)
  pdu[0] = 5
  pdu[2] = type
  pdu[3] = flags
  pdu[4] = 0x10
  pdu.writeUInt16LE(pdu.length, 8)
  pdu.writeUInt32LE(callId, 12)
  return pdu
}

/** What a bind_ack or alter_context_resp says. */
export interface BindAck {
  readonly type: typeof packetType.bindAck | typeof packetType.alterContextResponse
  readonly callId: number
  readonly maxTransmitBytes: number
  readonly maxReceiveBytes: number
  readonly associationGroup: number
  /** `\PIPE\name`; empty in an alter_context_resp. */
  readonly secondaryAddress: string
  readonly answers: readonly ContextAnswer[]
}

/** bind_ack or alter_context_resp (C706 12.6.4.4, 12.6.4.2). */
export function writeBindAck(ack: BindAck): Buffer {
  const address = ack.secondaryAddress === '' ? 0 : ack.secondaryAddress.length + 1
  const resultsAt = (10 + address + 3) & ~3
  const pdu = allocate({ type: ack.type, callId: ack.callId, bodyBytes: resultsAt + 4 + ack.answers.length * 24 })
  const body = pdu.subarray(headerBytes)
  body.writeUInt16LE(ack.maxTransmitBytes, 0)
  body.writeUInt16LE(ack.maxReceiveBytes, 2)
  body.writeUInt32LE(ack.associationGroup, 4)
  body.writeUInt16LE(address, 8)
  body.write(ack.secondaryAddress, 10, 'latin1')
  body[resultsAt] = ack.answers.length
  let at = resultsAt + 4
  for (const { result, reason, transferSyntax } of ack.answers) {
    body.writeUInt16LE(result, at)
    body.writeUInt16LE(reason, at + 2)
    uuidBytes(transferSyntax.uuid).copy(body, at + 4)
    body.writeUInt32LE(transferSyntax.version, at + 20)
    at += 24
  }
  return pdu
}

/** bind_nak (C706 12.6.4.5) with the one version spoken here. */
export function writeBindNak(callId: number, reason: number): Buffer {
  const pdu = allocate({ type: packetType.bindNak, callId, bodyBytes: 8 })
  pdu.writeUInt16LE(reason, headerBytes)
  pdu[headerBytes + 2] = 1
  pdu[headerBytes + 3] = 5
  return pdu
}

/** fault (C706 12.6.4.7); the call was not executed. */
export function writeFault(callId: number, contextId: number, status: number): Buffer {
  const flags = packetFlag.first | packetFlag.last | packetFlag.didNotExecute
  const pdu = allocate({ type: packetType.fault, callId, flags, bodyBytes: 16 })
  pdu.writeUInt16LE(contextId, headerBytes + 4)
  pdu.writeUInt32LE(status, headerBytes + 8)
  return pdu
}

/** The fragments of a response (C706 12.6.4.10), none longer than `maxFragmentBytes`. */
export function writeResponse(callId: number, contextId: number, stub: Buffer, maxFragmentBytes: number): Buffer[] {
  // Stub data of all fragments but the last comes in multiples of 8, so that each begins aligned.
  const room = (maxFragmentBytes - callHeaderBytes) & ~7
  const fragments: Buffer[] = []
  let at = 0
  do {
    const part = stub.subarray(at, at + room)
    const flags = (at === 0 ? packetFlag.first : 0) | (at + part.length === stub.length ? packetFlag.last : 0)
    const pdu = allocate({ type: packetType.response, callId, flags, bodyBytes: 8 + part.length })
    pdu.writeUInt32LE(stub.length - at, headerBytes)
    pdu.writeUInt16LE(contextId, headerBytes + 4)
    part.copy(pdu, callHeaderBytes)
    fragments.push(pdu)
    at += part.length
  } while (at < stub.length)
  return fragments
}
