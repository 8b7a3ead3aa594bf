/** ISID: the initiator's part of a session's identity, six bytes (RFC 7143 11.12.5), and the port names made of it (4.2.8). */
import { randomBytes } from 'node:crypto'
import { isidBytes } from './login.ts'

const randomType = 0x80

/** An ISID of the random type: three random bytes and a qualifier of 16 bits. `random` gives bytes. */
export function randomIsid(qualifier = 0, random: (lengthBytes: number) => Uint8Array = randomBytes): Buffer {
  const isid = Buffer.alloc(isidBytes)
  isid[0] = randomType
  isid.set(random(3), 1)
  isid.writeUInt16BE(qualifier, 4)
  return isid
}

/** An ISID as text: `0x` and twelve hexadecimal digits. */
export const formatIsid = (isid: Uint8Array): string => `0x${Buffer.from(isid).toString('hex')}`

/** Name of an initiator port: `iqn.…,i,0x800000000000`. */
export const initiatorPortName = (initiatorName: string, isid: Uint8Array): string => `${initiatorName},i,${formatIsid(isid)}`

/** Name of a target port: `iqn.…,t,0x0001`. */
export const targetPortName = (targetName: string, portalGroupTag: number): string =>
  `${targetName},t,0x${portalGroupTag.toString(16).padStart(4, '0')}`
