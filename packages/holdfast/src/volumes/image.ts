/** Raw images that volumes begin with. */

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { errno, lseek, lseekAsync, SEEK_DATA } from '@holdfast/posix'
import type { BlockDevice } from '@holdfast/storage/block'

/** An image cannot be what a volume begins with; the message says why, and what to do. */
export class ImageError extends Error {
  readonly code = 'INVALID_IMAGE'
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ImageError'
  }
}

/** What other kinds of images begin with. */
const otherFormats: readonly (readonly [magic: string, at: number, name: string])[] = [
  ['QFI\u00fb', 0, 'qcow2'],
  ['KDMV', 0, 'VMDK'],
  ['vhdxfile', 0, 'VHDX'],
  ['conectix', 0, 'VHD'],
  ['\u007f\u0010\u00da\u00be', 64, 'VDI'],
]

const chunkBytes = 1 << 20
/** Bytes of a volume are written in multiples of this. */
const stepBytes = 4096

/** Bytes of a raw image. Throws ImageError. */
export async function imageSizeOf(path: string): Promise<number> {
  await using file = await openImage(path)
  const { size } = await file.stat()
  if (size === 0) throw new ImageError(`${path} is empty`)
  const head = Buffer.alloc(128)
  await file.read(head, 0, head.length, 0)
  const format = otherFormats.find(([magic, at]) => head.toString('latin1', at, at + magic.length) === magic)
  if (format !== undefined) throw new ImageError(`${path} is a ${format[2]} image; make a raw one of it: qemu-img convert -O raw ${path} ${path}.raw`)
  return size
}

/**
 * Copies a part of an image to the same place of a device, and flushes it. What is zeros there is left out: the device is new. Resolves with
 * the offset at which the next part begins. Throws ImageError, BlockDeviceError.
 */
export async function copyImagePart(
  device: BlockDevice,
  part: { readonly path: string; readonly offset: number; readonly lengthBytes: number },
): Promise<number> {
  await using file = await openImage(part.path)
  const end = part.offset + part.lengthBytes
  let offset = part.offset
  while (offset < end) {
    const data = await dataFrom(file.fd, offset)
    if (data >= end) return Math.max(part.offset, Math.min(end, (await file.stat()).size))
    offset = data
    const chunk = Buffer.alloc(chunkBytes)
    const { bytesRead } = await file.read(chunk, 0, Math.min(chunkBytes, end - offset), offset)
    if (bytesRead === 0) break
    // What the last block has more than the image is zeros.
    const bytes = chunk.subarray(0, Math.ceil(bytesRead / stepBytes) * stepBytes)
    if (!isZero(bytes)) await device.write([bytes], offset)
    offset += bytesRead
  }
  await device.flush()
  return offset
}

/** Where data begins again, in whole steps: what is a hole need not be read. Infinity where there is no more. */
async function dataFrom(fd: number, offset: number): Promise<number> {
  const answer = await lseekAsync(fd, offset, SEEK_DATA)
  // Which error it was may have been overwritten by the time it is read: it is asked for again at once.
  const found = answer < 0 ? lseek(fd, offset, SEEK_DATA) : answer
  if (found === -errno.ENXIO) return Infinity
  // A filesystem that does not tell has data everywhere.
  return found < 0 ? offset : Math.max(offset, Math.floor(found / stepBytes) * stepBytes)
}

async function openImage(path: string): Promise<FileHandle> {
  if (!isAbsolute(path)) throw new ImageError(`${path} is not an absolute path on the node`)
  let file: FileHandle
  try {
    // A named pipe would be waited for.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw new ImageError(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`, { cause: error })
  }
  const isFile = await file.stat().then(stat => stat.isFile())
  if (isFile) return file
  await file.close()
  throw new ImageError(`${path} is not a file`)
}

const zeros = Buffer.alloc(chunkBytes)
const isZero = (bytes: Buffer): boolean => bytes.equals(zeros.subarray(0, bytes.length))
