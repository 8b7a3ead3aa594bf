/** FSCTL about an open (MS-SMB2 3.2.4.20). */
import { emptyBytes } from '@holdfast/wire'
import { headerSize, IoctlResponse } from '../messages/index.ts'
import type { OpenFile } from './reading.ts'
import { operations } from './requests.ts'
import type { Reply } from './requests.ts'

/** One FSCTL. */
export interface IoctlCall<Out> {
  /** `Fsctl`. */
  readonly ctlCode: number
  readonly input?: Uint8Array
  /** Room for the answer, in bytes. */
  readonly maxOutputBytes: number
  /** Makes the value of the output, which it must copy what it keeps of. What it throws ends the connection. */
  readonly decode: (output: Buffer) => Out
}

/** For an FSCTL whose output is of no interest. */
export const noOutput = (): true => true

/** Sends an FSCTL. Rejects with SmbError for a status that is neither SUCCESS, BUFFER_OVERFLOW nor allowed. */
export function ioctl<Out>(
  { tree, fileId, path }: OpenFile,
  { ctlCode, input = emptyBytes, maxOutputBytes, decode }: IoctlCall<Out>,
  options: { readonly signal?: AbortSignal | undefined; readonly allows?: readonly number[] } = {},
): Promise<Reply<Out>> {
  return tree.exchange(
    {
      operation: operations.ioctl,
      value: { ctlCode, fileId, maxOutputResponse: maxOutputBytes, input },
      scope: tree,
      payloadBytes: Math.max(input.length, maxOutputBytes),
      allows: options.allows ?? [],
      path,
      receive: ({ message }) => decode(IoctlResponse.decode(message, headerSize).output),
    },
    { signal: options.signal },
  )
}
