/** What one device stores, on another one that is as large and has nothing yet. */
import type { BlockDevice } from '../block-device.ts'

const chunkBytes = 4 << 20
const runsAtOnce = 1024

/** Copies what is mapped. */
export const copyDevice = async (source: BlockDevice, target: BlockDevice): Promise<void> => {
  const buffer = Buffer.allocUnsafe(chunkBytes)
  for (let at = 0; at < source.sizeBytes;) {
    for (const { offset, lengthBytes, isMapped } of await source.provisioning(at, source.sizeBytes - at, runsAtOnce)) {
      at = offset + lengthBytes
      for (let from = offset; isMapped && from < at; from += chunkBytes) {
        const chunk = [buffer.subarray(0, Math.min(chunkBytes, at - from))]
        await source.read(chunk, from)
        await target.write(chunk, from)
      }
    }
  }
}
