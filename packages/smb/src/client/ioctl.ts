/** FSCTL about an open (MS-SMB2 3.2.4.20). */
import { emptyBytes } from '@holdfast/wire'
import type { OpenFile } from './reading.ts'
import { operations } from './requests.ts'

/** One FSCTL. */
export interface IoctlCall {
  /** `Fsctl`. */
  readonly ctlCode: number
  readonly input?: Uint8Array
  /** Room for the answer, in bytes. */
  readonly maxOutputBytes: number
}

/** Sends an FSCTL; the output is the caller's to keep. Rejects with SmbError for a status that is neither SUCCESS, BUFFER_OVERFLOW nor allowed. */
export async function ioctl(
  { tree, fileId, path }: OpenFile,
  { ctlCode, input = emptyBytes, maxOutputBytes }: IoctlCall,
  options: { readonly signal?: AbortSignal | undefined; readonly allows?: readonly number[] } = {},
): Promise<{ readonly status: number; readonly output: Buffer }> {
  const { status, value } = await tree.exchange(
    {
      operation: operations.ioctl,
      value: { ctlCode, fileId, maxOutputResponse: maxOutputBytes, input },
      scope: tree,
      payloadBytes: Math.max(input.length, maxOutputBytes),
      allows: options.allows ?? [],
      path,
    },
    { signal: options.signal },
  )
  return { status, output: value?.output ?? emptyBytes }
}
