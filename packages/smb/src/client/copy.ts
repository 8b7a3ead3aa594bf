/** Whole files between a share and the local disk, pipelined: the disk and the network work at the same time. */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { SmbFile } from './file.ts'
import { isHandleLost, repeatsMax } from './interruption.ts'
import type { TransferOptions } from './pipeline.ts'
import { Writer } from './writing.ts'

/** How far a copy is. */
export interface CopyProgress {
  readonly copiedBytes: number
  /** As the source was when it was opened. */
  readonly totalBytes: number
}

/** How a file is copied. */
export interface CopyOptions extends TransferOptions {
  /** Called after each chunk. */
  readonly onProgress?: (progress: CopyProgress) => void
  /** Called when the copy begins anew, for the connection was lost and the server did not keep the file open. */
  readonly onRestart?: (cause: Error) => void
}

/** Copies, and copies from the beginning when an end of it is lost with the connection. */
async function restarting(copy: () => Promise<void>, { onRestart }: CopyOptions): Promise<void> {
  for (let restarts = 0; ; restarts++) {
    try {
      return await copy()
    } catch (error) {
      if (!isHandleLost(error) || restarts === repeatsMax) throw error
      onRestart?.(error as Error)
    }
  }
}

/** Writes a remote file's content to a local file, which is replaced once the remote one could be opened. */
export async function download(openRemote: () => Promise<SmbFile>, localPath: string, options: CopyOptions): Promise<void> {
  await restarting(async () => {
    await using file = await openRemote()
    await using local = await open(localPath, 'w')
    const totalBytes = file.sizeBytes
    let copiedBytes = 0
    for await (const chunk of file.chunks({}, options)) {
      for (let at = 0; at < chunk.length;) at += (await local.write(chunk, at, chunk.length - at, copiedBytes + at)).bytesWritten
      copiedBytes += chunk.length
      options.onProgress?.({ copiedBytes, totalBytes })
    }
  }, options)
}

/** Writes a local file's content to a remote file, which `openRemote` makes once the local one could be opened. */
export async function upload(localPath: string, openRemote: () => Promise<SmbFile>, options: CopyOptions): Promise<void> {
  await using local = await open(localPath, 'r')
  await restarting(() => send(local, openRemote, options), options)
}

async function send(local: FileHandle, openRemote: () => Promise<SmbFile>, options: CopyOptions): Promise<void> {
  const { size: totalBytes } = await local.stat()
  await using file = await openRemote()
  const writer = new Writer(file, 0, options)
  try {
    for (;;) {
      options.signal?.throwIfAborted()
      // Read from the disk to where it will be sent from.
      const payload = await writer.payload()
      const { bytesRead } = await local.read(payload.bytes, 0, payload.bytes.length, writer.offset).catch((error: unknown) => {
        writer.drop(payload)
        throw error
      })
      if (bytesRead === 0) {
        writer.drop(payload)
        break
      }
      writer.send(payload, bytesRead)
      options.onProgress?.({ copiedBytes: writer.offset, totalBytes })
    }
  } catch (error) {
    await writer.abandon()
    throw error
  }
  await writer.finish()
}
