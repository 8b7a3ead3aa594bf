/**
 * Linux's numbers. Those that differ between x86_64 and arm64 (the O_ flags of fcntl.h) come from Node.
 */
import { constants } from 'node:fs'

export const AT_FDCWD = -100
export const AT_SYMLINK_NOFOLLOW = 0x100
export const AT_REMOVEDIR = 0x200
export const AT_SYMLINK_FOLLOW = 0x400
export const AT_NO_AUTOMOUNT = 0x800
export const AT_EMPTY_PATH = 0x1000

export const O_RDONLY = 0
export const O_WRONLY = 1
export const O_RDWR = 2
export const O_CREAT = 0x40
export const O_EXCL = 0x80
export const O_NOCTTY = 0x100
export const O_TRUNC = 0x200
export const O_NONBLOCK = 0x800
export const O_CLOEXEC = 0x80000
export const O_PATH = 0x200000
/** 0x10000 on x86_64, 0x4000 on arm64. */
export const O_DIRECTORY = constants.O_DIRECTORY ?? 0x10000
/** 0x20000 on x86_64, 0x8000 on arm64. */
export const O_NOFOLLOW = constants.O_NOFOLLOW ?? 0x20000
/** A file without a name, until it is given one. */
export const O_TMPFILE = 0x400000 | O_DIRECTORY

/** openat2(2): what path resolution must not do. */
export const RESOLVE_NO_XDEV = 0x01
export const RESOLVE_NO_MAGICLINKS = 0x02
export const RESOLVE_NO_SYMLINKS = 0x04
export const RESOLVE_BENEATH = 0x08
export const RESOLVE_IN_ROOT = 0x10
export const RESOLVE_CACHED = 0x20

export const S_IFMT = 0xf000
export const S_IFREG = 0x8000
export const S_IFDIR = 0x4000
export const S_IFLNK = 0xa000

export const STATX_BASIC_STATS = 0x7ff
export const STATX_BTIME = 0x800
export const STATX_ATTR_COMPRESSED = 0x4

/** d_type of getdents64(2). */
export const DT_UNKNOWN = 0
export const DT_DIR = 4
export const DT_REG = 8
export const DT_LNK = 10

/** Flags of preadv2(2) and pwritev2(2). */
export const RWF_DSYNC = 0x02
export const RWF_NOWAIT = 0x08

/** Of ioctl_iflags(2). */
export const FS_COMPR_FL = 0x4
export const FS_NOCOMP_FL = 0x400

export const FALLOC_FL_KEEP_SIZE = 0x01
export const FALLOC_FL_PUNCH_HOLE = 0x02
export const FALLOC_FL_ZERO_RANGE = 0x10

export const SEEK_SET = 0
export const SEEK_DATA = 3
export const SEEK_HOLE = 4

export const RENAME_NOREPLACE = 1
export const RENAME_EXCHANGE = 2

export const XATTR_CREATE = 1
export const XATTR_REPLACE = 2

export const UTIME_NOW = 0x3fffffff
export const UTIME_OMIT = 0x3ffffffe

export const IN_MODIFY = 0x02
export const IN_ATTRIB = 0x04
export const IN_CLOSE_WRITE = 0x08
export const IN_MOVED_FROM = 0x40
export const IN_MOVED_TO = 0x80
export const IN_CREATE = 0x100
export const IN_DELETE = 0x200
export const IN_DELETE_SELF = 0x400
export const IN_MOVE_SELF = 0x800
export const IN_UNMOUNT = 0x2000
export const IN_Q_OVERFLOW = 0x4000
export const IN_IGNORED = 0x8000
export const IN_ONLYDIR = 0x01000000
export const IN_MASK_ADD = 0x20000000
export const IN_ISDIR = 0x40000000

export const MSG_PEEK = 0x02
export const MSG_DONTWAIT = 0x40
export const MSG_NOSIGNAL = 0x4000
export const MSG_MORE = 0x8000

/** f_type of statfs(2) for filesystems that are treated in a way of their own. */
export const filesystemMagic = {
  ext4: 0xef53,
  tmpfs: 0x01021994,
  xfs: 0x58465342,
  btrfs: 0x9123683e,
  overlay: 0x794c7630,
  f2fs: 0xf2f52010,
  zfs: 0x2fc12fc1,
  bcachefs: 0xca451a4e,
  nfs: 0x6969,
  cifs: 0xff534d42,
  smb2: 0xfe534d42,
  fuse: 0x65735546,
  ceph: 0x00c36400,
  v9fs: 0x01021997,
} as const
