/** Reparse points (MS-FSCC 2.1.2): what FSCTL_SET_REPARSE_POINT and FSCTL_GET_REPARSE_POINT carry. */
import { data, guid, lengthOf, offsetOf, reserved, rest, struct, u16, u32, u64, utf16 } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'

/** Reparse tags (MS-FSCC 2.1.2.1). */
export const ReparseTag = {
  mountPoint: 0xa000_0003,
  hsm: 0xc000_0004,
  wim: 0x8000_0008,
  dfs: 0x8000_000a,
  symlink: 0xa000_000c,
  dfsr: 0x8000_0012,
  dedup: 0x8000_0013,
  nfs: 0x8000_0014,
  appexeclink: 0x8000_001b,
  /** Made by the Windows Subsystem for Linux. */
  lxSymlink: 0xa000_001d,
  afUnix: 0x8000_0023,
  lxFifo: 0x8000_0024,
  lxChr: 0x8000_0025,
  lxBlk: 0x8000_0026,
} as const

/** The highest bit: Microsoft's tag, so that there is no GUID (MS-FSCC 2.1.2.1). */
export const isMicrosoftTag = (tag: number): boolean => tag >>> 31 === 1

/** MAXIMUM_REPARSE_DATA_BUFFER_SIZE (MS-FSCC 2.1.2). */
export const maxReparseDataBytes = 16_384

/** REPARSE_DATA_BUFFER (MS-FSCC 2.1.2.2), for Microsoft's tags; `data` is what the structs below describe. */
export const ReparseDataBuffer = struct('REPARSE_DATA_BUFFER', {
  reparseTag: u32,
  reparseDataLength: lengthOf('data', u16),
  reserved: reserved(u16),
  data: data(),
})
export type ReparseDataBuffer = Infer<typeof ReparseDataBuffer>

/** REPARSE_GUID_DATA_BUFFER (MS-FSCC 2.1.2.3), for tags of others. */
export const ReparseGuidDataBuffer = struct('REPARSE_GUID_DATA_BUFFER', {
  reparseTag: u32,
  reparseDataLength: lengthOf('data', u16),
  reserved: reserved(u16),
  reparseGuid: guid,
  data: data(),
})
export type ReparseGuidDataBuffer = Infer<typeof ReparseGuidDataBuffer>

/** Flags of a symbolic link (MS-FSCC 2.1.2.4). */
export const SymlinkFlags = { relative: 0x0000_0001 } as const

/** Bytes in front of PathBuffer, where a symbolic link's and a mount point's offsets count from. */
const [symlinkPathBuffer, mountPointPathBuffer] = [12, 8]

/** Data of a symbolic link (MS-FSCC 2.1.2.4), behind the REPARSE_DATA_BUFFER's head. */
export const SymbolicLinkReparseData = struct('symbolic link reparse data', {
  substituteNameOffset: offsetOf('substituteName', u16, { base: symlinkPathBuffer }),
  substituteNameLength: lengthOf('substituteName', u16),
  printNameOffset: offsetOf('printName', u16, { base: symlinkPathBuffer }),
  printNameLength: lengthOf('printName', u16),
  /** `SymlinkFlags`. */
  flags: u32,
  substituteName: utf16(),
  printName: utf16(),
})
export type SymbolicLinkReparseData = Infer<typeof SymbolicLinkReparseData>

/** Data of a mount point (MS-FSCC 2.1.2.5); both names are terminated. */
export const MountPointReparseData = struct('mount point reparse data', {
  substituteNameOffset: offsetOf('substituteName', u16, { base: mountPointPathBuffer }),
  substituteNameLength: lengthOf('substituteName', u16),
  printNameOffset: offsetOf('printName', u16, { base: mountPointPathBuffer }),
  printNameLength: lengthOf('printName', u16),
  substituteName: utf16({ terminatorBytes: 2 }),
  printName: utf16({ terminatorBytes: 2 }),
})
export type MountPointReparseData = Infer<typeof MountPointReparseData>

/** Type of an NFS reparse point (MS-FSCC 2.1.2.6). */
export const NfsReparseType = {
  symlink: 0x014b_4e4cn,
  characterDevice: 0x0052_4843n,
  blockDevice: 0x004b_4c42n,
  fifo: 0x4f46_4946n,
  socket: 0x4b43_4f53n,
} as const

/** Data of an NFS reparse point (MS-FSCC 2.1.2.6): a symbolic link's target in UTF-16, or major and minor number of a device. */
export const NfsReparseData = struct('NFS reparse data', {
  /** `NfsReparseType`. */
  type: u64,
  data: rest(),
})
export type NfsReparseData = Infer<typeof NfsReparseData>
