/** ECHO (MS-SMB2 3.3.5.17). */
import type { Outcome } from './handler-api.ts'
import type { SmbRequest } from './request.ts'

/** The body that ECHO, LOGOFF and TREE_DISCONNECT answer with: StructureSize 4 and a reserved field (2.2.29, 2.2.8, 2.2.12). */
export function replyEmpty(request: SmbRequest): Outcome {
  request.reserve(4).writeUInt32LE(4, 0)
  return request.reply(4)
}

export const echo = replyEmpty
