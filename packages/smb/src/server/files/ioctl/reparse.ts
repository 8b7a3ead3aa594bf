/** Symbolic links as reparse points (MS-FSCC 2.1.2, MS-FSA 2.1.5.9.19, 2.1.5.9.37). */
import { access } from '../../../messages/fscc-access-mask.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { ReparseDataBuffer, ReparseTag, SymbolicLinkReparseData, SymlinkFlags } from '../../../messages/reparse.ts'
import { StatusError } from '../../core/handler-api.ts'
import { needAccess, needWritable } from '../opened.ts'
import { needInput, needOutput, noOutput } from './answer.ts'
import type { FileIoctl } from './answer.ts'

/** A link's target as clients are told. */
export function symbolicLink(target: string): { flags: number; substituteName: string; printName: string } {
  const name = target.replaceAll('/', '\\')
  return { flags: target.startsWith('/') ? 0 : SymlinkFlags.relative, substituteName: name, printName: name }
}

export const getReparsePoint: FileIoctl = async (_request, open, asked) => {
  const target = await open.handle.readLink()
  if (target === undefined) throw new StatusError(NtStatus.NOT_A_REPARSE_POINT)
  const data = SymbolicLinkReparseData.toBytes(symbolicLink(target))
  const output = ReparseDataBuffer.toBytes({ reparseTag: ReparseTag.symlink, data })
  needOutput(asked, output.length, NtStatus.BUFFER_TOO_SMALL)
  return { output }
}

/** Turns a file that was just created into a symbolic link; where the link leads is checked whenever it is followed. */
export const setReparsePoint: FileIoctl = async (_request, open, asked) => {
  needAccess(open, access.writeData | access.writeAttributes)
  needWritable(open)
  const { fileSystem } = open.files
  const { reparseTag, data } = ReparseDataBuffer.decode(needInput(asked, 8))
  if (reparseTag !== ReparseTag.symlink) throw new StatusError(NtStatus.IO_REPARSE_TAG_NOT_HANDLED)
  if (fileSystem.symlink === undefined || !fileSystem.features.symlinks) throw new StatusError(NtStatus.NOT_SUPPORTED)
  const { substituteName } = SymbolicLinkReparseData.decode(data)
  if (substituteName === '' || substituteName.includes('\0')) throw new StatusError(NtStatus.IO_REPARSE_DATA_INVALID)
  const { path } = open
  await open.handle.remove()
  await fileSystem.symlink(path, substituteName.replaceAll('\\', '/'), { shown: true })
  await open.replaceHandle(await fileSystem.open(path, '', { read: false, write: false, noFollow: true }))
  return noOutput
}

export const deleteReparsePoint: FileIoctl = async (_request, open) => {
  needAccess(open, access.writeData | access.writeAttributes)
  needWritable(open)
  if ((await open.handle.readLink()) === undefined) throw new StatusError(NtStatus.NOT_A_REPARSE_POINT)
  await open.handle.remove()
  return noOutput
}
