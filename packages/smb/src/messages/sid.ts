/**
 * Security identifiers: the packet form of MS-DTYP 2.4.2.2 and the text form of 2.4.2.1.
 *
 * A SID is held as its text (`S-1-5-32-544`): comparing and looking one up in a set is then one string
 * operation, and it reads well in logs and dumps.
 */
import { MalformedError, UsageError } from '@holdfast/wire'

/** A SID in canonical text form: `S-1-<authority>-<sub-authority>…`, decimal, the authority in hex from 2^32 on (MS-DTYP 2.4.2.1). */
export type Sid = string

/** Bytes of a SID without sub-authorities. */
export const sidHeaderBytes = 8
/** A SID has at most 15 sub-authorities (MS-DTYP 2.4.2.2). */
export const maxSubAuthorities = 15

/** Well-known SIDs (MS-DTYP 2.4.2.4). */
export const wellKnownSids = {
  everyone: 'S-1-1-0',
  local: 'S-1-2-0',
  creatorOwner: 'S-1-3-0',
  creatorGroup: 'S-1-3-1',
  ownerRights: 'S-1-3-4',
  network: 'S-1-5-2',
  anonymous: 'S-1-5-7',
  self: 'S-1-5-10',
  authenticatedUsers: 'S-1-5-11',
  thisOrganization: 'S-1-5-15',
  system: 'S-1-5-18',
  ntlmAuthentication: 'S-1-5-64-10',
  administrators: 'S-1-5-32-544',
  users: 'S-1-5-32-545',
  guests: 'S-1-5-32-546',
  backupOperators: 'S-1-5-32-551',
  mediumMandatoryLevel: 'S-1-16-8192',
  highMandatoryLevel: 'S-1-16-12288',
} as const satisfies Record<string, Sid>

/** Relative identifiers of every machine's or domain's own accounts (MS-DTYP 2.4.2.4). */
export const relativeIds = { administrator: 500, guest: 501, domainUsers: 513, noneGroup: 513, firstUser: 1000 } as const

/** Packet forms by text: the same few SIDs are in nearly every descriptor. Bounded; full, it begins anew. */
const packets = new Map<Sid, Buffer>()
const packetsMax = 1024

function packetOf(sid: Sid): Buffer {
  const known = packets.get(sid)
  if (known !== undefined) return known
  const parts = sid.split('-')
  const packet = Buffer.alloc(sidHeaderBytes + 4 * (parts.length - 3))
  packet[0] = 1
  packet[1] = parts.length - 3
  packet.writeUIntBE(Number(parts[2]), 2, 6)
  for (let index = 3; index < parts.length; index++) packet.writeUInt32LE(Number(parts[index]), sidHeaderBytes + 4 * (index - 3))
  if (packets.size >= packetsMax) packets.clear()
  packets.set(sid, packet)
  return packet
}

/** Length of the packet form in bytes. */
export function sidLengthBytes(sid: Sid): number {
  return packetOf(sid).length
}

/**
 * Reads the SID at `at`, which must end at or before `end`.
 * Throws `MalformedError` with code `INVALID_SID`.
 */
export function readSid(bytes: Uint8Array, at: number, end: number): { readonly sid: Sid; readonly end: number } {
  if (end > bytes.length || at < 0 || at + sidHeaderBytes > end) throw new MalformedError('INVALID_SID', 'a SID is cut short')
  const count = bytes[at + 1]
  if (bytes[at] !== 1 || count > maxSubAuthorities) throw new MalformedError('INVALID_SID', 'revision or sub-authority count of a SID is wrong')
  const sidEnd = at + sidHeaderBytes + 4 * count
  if (sidEnd > end) throw new MalformedError('INVALID_SID', 'a SID is cut short')
  const high = bytes[at + 2] * 0x100 + bytes[at + 3]
  const low = ((bytes[at + 4] << 24) | (bytes[at + 5] << 16) | (bytes[at + 6] << 8) | bytes[at + 7]) >>> 0
  let sid = high === 0 ? `S-1-${low}` : `S-1-0x${high.toString(16).padStart(4, '0')}${low.toString(16).padStart(8, '0')}`
  for (let part = at + sidHeaderBytes; part < sidEnd; part += 4) {
    sid += `-${((bytes[part + 3] << 24) | (bytes[part + 2] << 16) | (bytes[part + 1] << 8) | bytes[part]) >>> 0}`
  }
  return { sid, end: sidEnd }
}

/** Decodes a SID that fills `bytes` from its start (bytes after it are ignored). Throws `MalformedError` with code `INVALID_SID`. */
export function decodeSid(bytes: Uint8Array): Sid {
  return readSid(bytes, 0, bytes.length).sid
}

/** Writes the packet form at `at`; returns the position after it. `sid` must be canonical text (see `parseSid`). */
export function writeSid(target: Buffer, at: number, sid: Sid): number {
  const packet = packetOf(sid)
  for (let index = 0; index < packet.length; index++) target[at + index] = packet[index]
  return at + packet.length
}

/** The packet form in a buffer of its own. */
export function encodeSid(sid: Sid): Buffer {
  return Buffer.from(packetOf(sid))
}

const sidText = /^S-1-(0x[0-9a-f]{1,12}|[0-9]{1,15})((?:-[0-9]{1,10}){0,15})$/i

/** Checks a SID's text and brings it into canonical form. Throws `UsageError` with code `INVALID_SID`. */
export function parseSid(text: string): Sid {
  const match = sidText.exec(text)
  const authority = match === null ? Number.NaN : Number(match[1])
  const subAuthorities = match === null || match[2] === '' ? [] : match[2].slice(1).split('-').map(Number)
  if (!(authority <= 0xffff_ffff_ffff) || subAuthorities.some(part => part > 0xffff_ffff)) {
    throw new UsageError('INVALID_SID', `not a security identifier: ${text}`)
  }
  const head = authority > 0xffff_ffff ? `0x${authority.toString(16).padStart(12, '0')}` : String(authority)
  return ['S-1', head, ...subAuthorities].join('-')
}

/** The three random numbers that make a machine's accounts unique. */
export type MachineId = readonly [number, number, number]

/** The SID of the machine itself: `S-1-5-21-a-b-c`. */
export function machineSid(machine: MachineId): Sid {
  return `S-1-5-21-${machine[0] >>> 0}-${machine[1] >>> 0}-${machine[2] >>> 0}`
}

/** The SID of a machine's local account: `S-1-5-21-a-b-c-rid`. */
export function localAccountSid(machine: MachineId, relativeId: number): Sid {
  return `${machineSid(machine)}-${relativeId >>> 0}`
}

/** The SID that stands for a POSIX user without an account of its own (the S-1-22 convention). */
export function unixUserSid(uid: number): Sid {
  return `S-1-22-1-${uid >>> 0}`
}

/** The SID that stands for a POSIX group (the S-1-22 convention). */
export function unixGroupSid(gid: number): Sid {
  return `S-1-22-2-${gid >>> 0}`
}
