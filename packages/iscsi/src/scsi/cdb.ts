/** Where fields are in a CDB (SPC-4 4.2): transport and initiator need them as well. */

/**
 * Length of a CDB by its GROUP CODE (SPC-4 4.2.5.1); variable length CDBs say it themselves (4.2.3). Undefined for vendor specific groups and
 * for what is too short to know.
 */
export function cdbBytes(cdb: Buffer): number | undefined {
  if (cdb[0] === variableLengthCdb) return cdb.length >= 8 ? 8 + cdb[7] : undefined
  return [6, 10, 10, undefined, 16, 12, undefined, undefined][cdb[0] >> 5]
}

/** Opcode of CDBs that say how long they are, with the service action in bytes 8 and 9. */
export const variableLengthCdb = 0x7f

/** A 64-bit field as a number. Beyond 2^53 it is not exact, and still beyond every medium. */
export const readUInt64 = (bytes: Buffer, at: number): number => bytes.readUInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)

/** LOGICAL BLOCK ADDRESS of a 6-byte CDB. */
export const lba6 = (cdb: Buffer): number => cdb.readUIntBE(1, 3) & 0x1fffff
/** TRANSFER LENGTH of READ (6) and WRITE (6), where 0 says 256. */
export const transferLength6 = (cdb: Buffer): number => cdb[4] || 256
/** LOGICAL BLOCK ADDRESS of a 10-byte CDB. */
export const lba10 = (cdb: Buffer): number => cdb.readUInt32BE(2)
/** TRANSFER, PARAMETER LIST or ALLOCATION LENGTH of a 10-byte CDB. */
export const length10 = (cdb: Buffer): number => cdb.readUInt16BE(7)
/** LOGICAL BLOCK ADDRESS of a 12-byte CDB. */
export const lba12 = (cdb: Buffer): number => cdb.readUInt32BE(2)
/** The length field of a 12-byte CDB. */
export const length12 = (cdb: Buffer): number => cdb.readUInt32BE(6)
/** LOGICAL BLOCK ADDRESS of a 16-byte CDB. */
export const lba16 = (cdb: Buffer): number => readUInt64(cdb, 2)
/** The length field of a 16-byte CDB. */
export const length16 = (cdb: Buffer): number => cdb.readUInt32BE(10)
/** LOGICAL BLOCK ADDRESS of a 32-byte CDB. */
export const lba32 = (cdb: Buffer): number => readUInt64(cdb, 12)
/** The length field of a 32-byte CDB. */
export const length32 = (cdb: Buffer): number => cdb.readUInt32BE(28)

/** The service action, where the CDB's format has it. */
export const serviceActionOf = (cdb: Buffer): number => (cdb[0] === variableLengthCdb ? cdb.readUInt16BE(8) : cdb[1] & 0x1f)
