/** FILE_ATTRIBUTE_* (MS-FSCC 2.6), as far as filesystems deal with them. */
export const fileAttribute = {
  readOnly: 0x1,
  hidden: 0x2,
  system: 0x4,
  directory: 0x10,
  archive: 0x20,
  normal: 0x80,
  temporary: 0x100,
  sparse: 0x200,
  reparsePoint: 0x400,
  compressed: 0x800,
  offline: 0x1000,
  notContentIndexed: 0x2000,
} as const

const { readOnly, hidden, system, archive, temporary, sparse, offline, notContentIndexed } = fileAttribute

/** The attributes that are kept because somebody set them; the others follow from what the file is. */
export const storableAttributes = readOnly | hidden | system | archive | temporary | sparse | offline | notContentIndexed

/** What is shown of a file or folder with these stored attributes, `derived` ones added: NORMAL stands for none, and alone (MS-FSCC 2.6). */
export const shownAttributes = (stored: number, isFolder: boolean, derived = 0): number => {
  const kept = (stored & storableAttributes) | derived
  if (isFolder) return (kept & ~(sparse | temporary)) | fileAttribute.directory
  return kept === 0 ? fileAttribute.normal : kept
}

/** IO_REPARSE_TAG_SYMLINK (MS-FSCC 2.1.2.1). */
export const reparseTagSymlink = 0xa000_000c

/** Size as FILE_FULL_EA_INFORMATION (MS-FSCC 2.4.16): 8 bytes, name with NUL, value; entries start at multiples of 4. */
export const extendedAttributesSize = (entries: Iterable<{ readonly nameBytes: number; readonly valueBytes: number }>): number => {
  let size = 0
  for (const { nameBytes, valueBytes } of entries) size = ((size + 3) & ~3) + 8 + nameBytes + 1 + valueBytes
  return size
}
