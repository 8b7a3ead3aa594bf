/** The server's SYN-ACK: what it agrees to, and whether that is what the client has been promised. */

import { HandoffOptions } from '../protocol/messages.ts'
import { newTcpOptions, readOptions } from '../transform/options.ts'
import { TcpAt, TcpFlag, tcpHeaderBytesMin } from '../transform/packet.ts'
import { plus } from '../transform/sequence.ts'

/** What a SYN-ACK says; one object is filled again and again. */
export interface SynAck {
  sequence: number
  acknowledgement: number
  /** As in the header: not scaled (RFC 7323 2.2). */
  window: number
  /** `HandoffOptions`. */
  options: number
  scale: number
  tsVal: number
}

/** An empty one. */
export const newSynAck = (): SynAck => ({ sequence: 0, acknowledgement: 0, window: 0, options: 0, scale: 0, tsVal: 0 })

const synAckFlags = TcpFlag.syn | TcpFlag.ack
const read = newTcpOptions()

/** Reads the TCP header at `at` (60 bytes are there, whatever its length). False when it is none of a SYN-ACK. */
export function readSynAck(bytes: Buffer, at: number, into: SynAck): boolean {
  const headerBytes = (bytes[at + TcpAt.dataOffset] >> 4) * 4
  if (headerBytes < tcpHeaderBytesMin || (bytes[at + TcpAt.flags] & (synAckFlags | TcpFlag.rst)) !== synAckFlags) return false
  readOptions(bytes, at + tcpHeaderBytesMin, at + headerBytes, read)
  into.sequence = bytes.readUInt32BE(at + TcpAt.sequence)
  into.acknowledgement = bytes.readUInt32BE(at + TcpAt.acknowledgement)
  into.window = bytes.readUInt16BE(at + TcpAt.window)
  into.scale = Math.max(0, read.windowScale)
  into.tsVal = read.tsVal
  into.options =
    (read.timestamps ? HandoffOptions.timestamps : 0) |
    (read.sackPermitted ? HandoffOptions.sack : 0) |
    (read.windowScale >= 0 ? HandoffOptions.windowScale : 0)
  return true
}

/** What is wrong with a SYN-ACK. */
export type SynAckFault = 'otherSequence' | 'optionMissing' | 'windowTooSmall'

/** What a SYN-ACK has to go with. */
export interface Promised {
  /** Sequence number of the SYN. */
  readonly sequence: number
  /** `HandoffOptions` of the client. */
  readonly options: number
  /** All of them go to the server at once, so they have to fit into its first window. */
  readonly requestBytes: number
}

/** Compares a SYN-ACK with what was promised. Options that the server takes beyond that are no fault: it was not asked for them. */
export function faultOf(synAck: SynAck, { sequence, options, requestBytes }: Promised): SynAckFault | undefined {
  if (synAck.acknowledgement !== plus(sequence, 1)) return 'otherSequence'
  if ((options & ~synAck.options) !== 0) return 'optionMissing'
  return requestBytes > synAck.window ? 'windowTooSmall' : undefined
}
