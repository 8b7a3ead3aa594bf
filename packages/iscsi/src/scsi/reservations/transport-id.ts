/** TransportIDs (SPC-4 7.6.4): the names of initiator ports, as persistent reservations use them. */
import type { Nexus } from '../task.ts'

/** Protocol identifier of iSCSI (SPC-4 7.6.1). */
const iscsiProtocol = 0x5
/** All protocols but iSCSI have TransportIDs of one size. */
const fixedBytes = 24
const headerBytes = 4
const minIscsiBytes = 24

/** A TransportID, decoded. */
export interface TransportId {
  readonly bytes: Buffer
  readonly protocol: number
  /** Of an iSCSI initiator: its node's name. */
  readonly name?: string
  /** The port's name in one spelling. Undefined where only the node is named: all its ports are meant. */
  readonly port?: string
}

/** The protocol that the nexus runs over. */
export const protocolOf = (nexus: Nexus): number => nexus.transportId[0] & 0x0f

/** Who has a registration: an initiator port and a target port. */
export const registrantFor = (port: string, relativeTargetPort: number): string => `${port}/${relativeTargetPort}`

/** By what persistent reservations know a nexus. */
export function registrantOf(nexus: Nexus): string {
  const port = decodeTransportId(nexus.transportId)?.port ?? nexus.transportId.toString('hex')
  return registrantFor(port, nexus.relativeTargetPort)
}

/** The TransportID at the beginning of the bytes; undefined where there is none that makes sense. */
export function decodeTransportId(bytes: Buffer): TransportId | undefined {
  if (bytes.length < fixedBytes) return undefined
  const protocol = bytes[0] & 0x0f
  if (protocol === iscsiProtocol) return decodeIscsi(bytes)
  const own = bytes.subarray(0, fixedBytes)
  return bytes[0] >> 6 === 0 ? { bytes: own, protocol, port: own.toString('hex') } : undefined
}

/** SPC-4 7.6.4.6: format 00b names the node, 01b the port: `iqn.2026-01.example:a,i,0x00023D000001`. */
function decodeIscsi(bytes: Buffer): TransportId | undefined {
  const format = bytes[0] >> 6
  const length = headerBytes + bytes.readUInt16BE(2)
  if (length < minIscsiBytes || length % 4 !== 0 || length > bytes.length || format > 1) return undefined
  const own = bytes.subarray(0, length)
  const end = own.indexOf(0, headerBytes)
  const text = own.toString('utf8', headerBytes, end < 0 ? length : end).toLowerCase()
  if (end < 0 || text === '') return undefined
  if (format === 0) return { bytes: own, protocol: iscsiProtocol, name: text }
  const [, name, isid] = /^([^,]+),i,0x([0-9a-f]{1,12})$/.exec(text) ?? []
  if (name === undefined || isid === undefined) return undefined
  return { bytes: own, protocol: iscsiProtocol, name, port: `${name},i,0x${isid.padStart(12, '0')}` }
}

/** The TransportID of an iSCSI initiator port: its name and its ISID of six bytes. */
export function iscsiTransportId(initiatorName: string, isid: Buffer): Buffer {
  const text = `${initiatorName},i,0x${isid.toString('hex')}`
  const length = Math.max(minIscsiBytes - headerBytes, (Buffer.byteLength(text) + 4) & ~3)
  const result = Buffer.alloc(headerBytes + length)
  result[0] = 0x40 | iscsiProtocol
  result.writeUInt16BE(length, 2)
  result.write(text, headerBytes)
  return result
}
