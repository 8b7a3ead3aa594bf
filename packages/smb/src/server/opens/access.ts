import { shareAccessBits } from './types.ts'

/** Access mask bits that arbitration looks at (MS-SMB2 2.2.13.1). */
export const accessBits = {
  readData: 0x1,
  writeData: 0x2,
  appendData: 0x4,
  execute: 0x20,
  readAttributes: 0x80,
  writeAttributes: 0x100,
  delete: 0x10000,
  readControl: 0x20000,
  synchronize: 0x100000,
} as const

const readBits = accessBits.readData | accessBits.execute
const writeBits = accessBits.writeData | accessBits.appendData
const sharedBits = readBits | writeBits | accessBits.delete

/** Opens with nothing but these break no oplock (MS-FSA 2.1.4.12); for leases reading the security descriptor is harmless too. */
const statBits = {
  oplock: accessBits.readAttributes | accessBits.writeAttributes | accessBits.synchronize,
  lease: accessBits.readAttributes | accessBits.writeAttributes | accessBits.synchronize | accessBits.readControl,
} as const

/** Whether an open is a mere look at the metadata in the eyes of an oplock's or a lease's holder. */
export const isStatAccess = (access: number, holder: 'oplock' | 'lease'): boolean => (access & ~statBits[holder]) === 0

/** Access that takes part in share mode checks at all. */
export const takesPartInSharing = (access: number): boolean => (access & sharedBits) !== 0

/** What each kind of access demands of the other's share mode. */
const demands = [
  { access: readBits, share: shareAccessBits.read },
  { access: writeBits, share: shareAccessBits.write },
  { access: accessBits.delete, share: shareAccessBits.delete },
] as const

/** Access and share mode of one side. */
export interface ShareMode {
  readonly access: number
  readonly shareAccess: number
}

/** MS-FSA 2.1.5.1.2.2: each side's access must be shared by the other, unless one of them only looks at metadata. */
export const sharesConflict = (a: ShareMode, b: ShareMode): boolean => {
  if (!takesPartInSharing(a.access) || !takesPartInSharing(b.access)) return false
  for (const { access, share } of demands) {
    if ((a.access & access) !== 0 && (b.shareAccess & share) === 0) return true
    if ((b.access & access) !== 0 && (a.shareAccess & share) === 0) return true
  }
  return false
}

/** How a rename opens the target's folder: to add an entry, refusing those who may delete it (MS-FSA 2.1.5.14.11). */
export const targetFolderMode: ShareMode = {
  access: accessBits.writeData | accessBits.synchronize,
  shareAccess: shareAccessBits.read | shareAccessBits.write,
}
