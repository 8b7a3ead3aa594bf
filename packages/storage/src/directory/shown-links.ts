/**
 * Symbolic links that clients made, which they follow themselves, beside those of the server's own, which are followed for them. There is
 * no place for a mark on a link but its target: a slash more than it needs, which means nothing to whoever follows it.
 */
import { O_NOFOLLOW, O_PATH, StatBuffer, close, readLinkAt, statFd } from '@holdfast/posix'
import type { Root } from './root.ts'

const stat = new StatBuffer()

/** `.//target` for a relative target, `//target` for an absolute one. */
export const markShown = (target: string): string => (target.startsWith('/') ? `/${target}` : `.//${target}`)

/** The target as the client gave it. */
export const withoutMark = (target: string): string =>
  target.startsWith('.//') ? target.slice(3) : target.startsWith('//') ? target.slice(1) : target

/** The link in the folder (or, without a name, the link itself) is marked. */
export const isMarked = (folderFd: number, name: string | Buffer): boolean => {
  const target = readLinkAt(folderFd, name)
  if (typeof target === 'number') return false
  return target.length > 2 && (target[0] === 0x2f ? target[1] === 0x2f : target[0] === 0x2e && target[1] === 0x2f && target[2] === 0x2f)
}

/** Whether the path's last component is a link that is shown as one. */
export const isShownLink = (root: Root, path: string): boolean => isLink(root, path, fd => isMarked(fd, ''))

/** Whether the path's last component is a link for which `holds`. */
export const isLink = (root: Root, path: string, holds: (fd: number) => boolean = () => true): boolean => {
  const fd = root.open(path, O_PATH | O_NOFOLLOW)
  if (fd < 0) return false
  try {
    return statFd(fd, stat) === 0 && stat.isSymlink && holds(fd)
  } finally {
    close(fd)
  }
}
