/** Compression of files by the filesystem: an inode's flag (ioctl_iflags(2)), which new files take over from their folder. */
import { filesystemMagic, FS_COMPR_FL, FS_NOCOMP_FL, getInodeFlags, setInodeFlags } from '@holdfast/posix'
import { must } from './errors.ts'

/** Whether a filesystem of this type compresses single files. Others know the flag, and do nothing about it or refuse it. */
export const compresses = (fsType: number): boolean => fsType === filesystemMagic.btrfs

/** From now on; what has been written stays as it is. */
export const setCompressed = (fd: number, on: boolean): void => {
  const before = must(getInodeFlags(fd), 'FS_IOC_GETFLAGS')
  // NOCOMP is what btrfs notes when it did not pay before, and it has no place beside COMPR.
  const after = on ? (before & ~FS_NOCOMP_FL) | FS_COMPR_FL : before & ~FS_COMPR_FL
  // A file that is overwritten in place (NOCOW) can't be compressed.
  if (after !== before) must(setInodeFlags(fd, after), 'FS_IOC_SETFLAGS', { EINVAL: 'not-supported' })
}
