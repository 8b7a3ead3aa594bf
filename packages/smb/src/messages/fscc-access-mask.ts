/** Access masks of files and folders (MS-SMB2 2.2.13.1, MS-DTYP 2.4.3) and their generic mapping. Masks are unsigned 32-bit numbers. */

/** ACCESS_MASK bits; a folder's meaning of a bit comes second. */
export const access = {
  readData: 0x1,
  listDirectory: 0x1,
  writeData: 0x2,
  addFile: 0x2,
  appendData: 0x4,
  addSubdirectory: 0x4,
  readEa: 0x8,
  writeEa: 0x10,
  execute: 0x20,
  traverse: 0x20,
  deleteChild: 0x40,
  readAttributes: 0x80,
  writeAttributes: 0x100,
  delete: 0x1_0000,
  readControl: 0x2_0000,
  writeDac: 0x4_0000,
  writeOwner: 0x8_0000,
  synchronize: 0x10_0000,
  accessSystemSecurity: 0x100_0000,
  maximumAllowed: 0x200_0000,
  genericAll: 0x1000_0000,
  genericExecute: 0x2000_0000,
  genericWrite: 0x4000_0000,
  genericRead: 0x8000_0000,
} as const

/** What the generic rights mean for files and folders (the GENERIC_MAPPING of the file object type). */
export const fileRights = { read: 0x12_0089, write: 0x12_0116, execute: 0x12_00a0, all: 0x1f_01ff } as const

/** All four generic bits. */
export const genericBits = 0xf000_0000

/** Replaces generic rights by the rights they stand for; other bits stay. */
export function mapGenericAccess(mask: number): number {
  if ((mask & genericBits) === 0) return mask >>> 0
  let mapped = mask & ~genericBits
  if ((mask & access.genericRead) !== 0) mapped |= fileRights.read
  if ((mask & access.genericWrite) !== 0) mapped |= fileRights.write
  if ((mask & access.genericExecute) !== 0) mapped |= fileRights.execute
  if ((mask & access.genericAll) !== 0) mapped |= fileRights.all
  return mapped >>> 0
}
