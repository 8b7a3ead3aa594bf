/**
 * The SMB_COM_NEGOTIATE with which old clients begin (MS-SMB2 3.3.5.3.1, MS-CIFS 2.2.4.52): read only to find
 * `SMB 2.???` or `SMB 2.002` among its dialects. Nothing else of SMB1 is spoken.
 */
import { bytes, fixed, lengthOf, MalformedError, reserved, struct, u16, u32, u8, data } from '@holdfast/wire'

/** 0xFF 'S' 'M' 'B', as a little-endian number. */
export const smb1ProtocolId = 0x424d_53ff

/** Dialect strings that lead to SMB2 (3.3.5.3.1, 3.3.5.3.2). */
export const Smb1Dialect = { smb2002: 'SMB 2.002', smb2Wildcard: 'SMB 2.???' } as const

const Smb1Negotiate = struct('SMB_COM_NEGOTIATE request', {
  protocolId: fixed(u32, smb1ProtocolId),
  command: fixed(u8, 0x72),
  status: reserved(u32),
  flags: reserved(u8),
  flags2: reserved(u16),
  pidHighAndSecurity: reserved(bytes(10)),
  reserved: reserved(u16),
  tidPidUidMid: reserved(u32),
  uidMid: reserved(u32),
  wordCount: fixed(u8, 0),
  byteCount: lengthOf('dialects', u16),
  dialects: data(),
})

/** Each dialect: BufferFormat 2, then a string with NUL at its end. */
const dialectBufferFormat = 0x02
const maxDialects = 64

/** True when a message begins as an SMB1 one does. */
export const isSmb1 = (message: Buffer, at = 0): boolean => message.length - at >= 4 && message.readUInt32LE(at) === smb1ProtocolId

/** The dialect strings of an SMB1 negotiation. Throws MalformedError. */
export function decodeSmb1Dialects(message: Buffer, at = 0, end: number = message.length): string[] {
  const { dialects: list } = Smb1Negotiate.decode(message, at, end)
  const dialects: string[] = []
  for (let position = 0; position < list.length;) {
    const nul = list.indexOf(0, position)
    if (list[position] !== dialectBufferFormat || nul < 0) throw new MalformedError('bad-dialect', 'a dialect is not a terminated string')
    if (dialects.length === maxDialects) throw new MalformedError('bad-dialect', 'too many dialects')
    dialects.push(list.toString('latin1', position + 1, nul))
    position = nul + 1
  }
  return dialects
}

/** A negotiation as old clients send it (for tests and multi-protocol clients). */
export function encodeSmb1Negotiate(dialects: readonly string[]): Buffer {
  const strings = dialects.map(dialect => `\u0002${dialect}\u0000`).join('')
  return Smb1Negotiate.toBytes({ dialects: Buffer.from(strings, 'latin1') })
}
