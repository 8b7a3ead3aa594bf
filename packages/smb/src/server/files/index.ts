/** The file commands of the SMB2 server, as the core's dispatch table takes them. */
import type { FileCommands } from '../core/handler-api.ts'
import { changeNotify } from './change-notify.ts'
import { close, flush } from './close.ts'
import { create } from './create.ts'
import { ioctl } from './ioctl/table.ts'
import { lock } from './lock.ts'
import { oplockBreak } from './oplock-break.ts'
import { queryDirectory } from './query-directory.ts'
import { queryInfo } from './query-info.ts'
import { read } from './read.ts'
import { isAwaited, recover } from './recovery.ts'
import { setInfo } from './set-info.ts'
import { write } from './write.ts'

export { breakEvents } from './oplock-break.ts'
export { PipeServices } from './pipe-services.ts'
export { ShareFiles } from './share-files.ts'
export type { ShareFilesOptions } from './share-files.ts'
export { FileOpen, removeByPath } from './file-open.ts'
export { publishRemoval } from './notices.ts'

export const fileCommands: FileCommands = {
  create,
  close,
  flush,
  read,
  write,
  lock,
  ioctl,
  queryDirectory,
  changeNotify,
  queryInfo,
  setInfo,
  oplockBreak,
  isAwaited,
  recover,
}
