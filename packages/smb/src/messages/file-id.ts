/** SMB2_FILEID (MS-SMB2 2.2.14.1), 16 bytes. */
import { struct, u64 } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'

/** Names an open: `persistent` survives a reconnect, `volatile` belongs to the session. */
export const FileId = struct('SMB2_FILEID', { persistent: u64, volatile: u64 })
export type FileId = Infer<typeof FileId>

const allOnes = 0xffff_ffff_ffff_ffffn

/** In a related request of a compound: the open of the request before it (3.3.5.2.7.2). In an IOCTL: no open at all. */
export const anyFileId: FileId = Object.freeze({ persistent: allOnes, volatile: allOnes })

/** True for a FileId of all ones. */
export const isAnyFileId = (id: FileId): boolean => id.persistent === allOnes && id.volatile === allOnes
