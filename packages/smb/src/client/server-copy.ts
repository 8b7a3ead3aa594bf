/** Copying on the server, without the bytes coming here and back (MS-SMB2 3.2.4.20.2: FSCTL_SRV_COPYCHUNK). */
import { Fsctl, NtStatus, SrvCopychunkCopy, SrvCopychunkResponse, SrvRequestResumeKeyResponse } from '../messages/index.ts'
import { statusError } from './errors.ts'
import { ioctl } from './ioctl.ts'
import type { OpenFile } from './reading.ts'

/** What is copied. */
export interface ServerCopyOptions {
  /** Where to read from; default 0. */
  readonly sourceOffset?: number
  /** Where to write to; default 0. */
  readonly offset?: number
  readonly lengthBytes: number
  /** Called with the bytes copied so far. */
  readonly onProgress?: ((copiedBytes: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Comes with the server's limits. */
const allows = [NtStatus.INVALID_PARAMETER, NtStatus.OBJECT_NAME_NOT_FOUND]
/** What Windows and Samba allow (MS-SMB2 3.3.3); a server that allows less says so. */
const usualLimits = { chunks: 16, chunkBytes: 1024 * 1024, totalBytes: 16 * 1024 * 1024 }

/** Copies between two files that are open in the same session. Rejects with SmbError, `ENOTSUP` where the server does not copy. */
export async function serverCopy(source: OpenFile, target: OpenFile & { readonly isReadable: boolean }, options: ServerCopyOptions): Promise<void> {
  const { sourceOffset = 0, offset = 0, lengthBytes, onProgress, signal } = options
  const decodeKey = (output: Buffer): Buffer => Buffer.from(SrvRequestResumeKeyResponse.decode(output).resumeKey)
  const askForKey = async () => {
    const { persistent, volatile } = source.fileId
    const { value } = await ioctl(source, { ctlCode: Fsctl.srvRequestResumeKey, maxOutputBytes: 32, decode: decodeKey }, { signal })
    return { value: value!, isOf: () => source.fileId.persistent === persistent && source.fileId.volatile === volatile }
  }
  let sourceKey = await askForKey()
  // The one that needs less access of the target (MS-SMB2 2.2.31).
  const ctlCode = target.isReadable ? Fsctl.srvCopychunk : Fsctl.srvCopychunkWrite
  let limits = usualLimits
  let mayAskForLimits = true
  for (let done = 0; done < lengthBytes;) {
    const chunks: { sourceOffset: bigint; targetOffset: bigint; length: number }[] = []
    let total = 0
    while (chunks.length < limits.chunks && total < limits.totalBytes && done + total < lengthBytes) {
      const length = Math.min(limits.chunkBytes, limits.totalBytes - total, lengthBytes - done - total)
      chunks.push({ sourceOffset: BigInt(sourceOffset + done + total), targetOffset: BigInt(offset + done + total), length })
      total += length
    }
    const input = SrvCopychunkCopy.toBytes({ sourceKey: sourceKey.value, chunks })
    const { fixedSize: maxOutputBytes, decode } = SrvCopychunkResponse
    const reply = await ioctl(target, { ctlCode, input, maxOutputBytes, decode: output => decode(output) }, { signal, allows })
    if (reply.status === NtStatus.OBJECT_NAME_NOT_FOUND) {
      // The key of a source that was opened anew after a loss of the connection is another one.
      if (sourceKey.isOf()) throw statusError(reply.status, 'IOCTL', target.path)
      sourceKey = await askForKey()
      continue
    }
    const told = reply.value
    if (reply.status === NtStatus.INVALID_PARAMETER) {
      if (!mayAskForLimits || told === undefined || told.chunksWritten === 0 || told.chunkBytesWritten === 0 || told.totalBytesWritten === 0) {
        throw statusError(reply.status, 'IOCTL', target.path)
      }
      limits = { chunks: told.chunksWritten, chunkBytes: told.chunkBytesWritten, totalBytes: told.totalBytesWritten }
      mayAskForLimits = false
      continue
    }
    if (told?.totalBytesWritten !== total) throw statusError(NtStatus.UNSUCCESSFUL, 'IOCTL', target.path)
    done += total
    onProgress?.(done)
  }
}
