/** Paths of a share: `folder/file` to people, `folder\file` on the wire (MS-SMB2 2.2.13, MS-FSCC 2.1.5). */
import { UsageError } from '@holdfast/wire'

/** CREATE's NameLength has 16 bits. */
const unitsMax = 32_767

/**
 * The name as CREATE wants it. Both separators do; empty components and `.` go away. Throws UsageError `path` for `..`, for NUL, and for
 * what is too long.
 */
export function wirePath(path: string): string {
  if (typeof path !== 'string') throw new UsageError('path', 'a path is text')
  const components = path.split(/[/\\]/).filter(part => part !== '' && part !== '.')
  if (components.includes('..')) throw new UsageError('path', `'${path}' leads upwards`)
  if (path.includes('\0')) throw new UsageError('path', 'a path has no NUL in it')
  const name = components.join('\\')
  if (name.length > unitsMax) throw new UsageError('path', 'the path is too long')
  return name
}

/** As people write it. */
export const friendlyPath = (wire: string): string => wire.replaceAll('\\', '/')

/** The folder of a path on the wire; `''` for the root and what lies in it. */
export const parentOf = (wire: string): string => wire.slice(0, Math.max(0, wire.lastIndexOf('\\')))

/** The last component of a path on the wire. */
export const nameOf = (wire: string): string => wire.slice(wire.lastIndexOf('\\') + 1)
