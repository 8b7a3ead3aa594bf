/** A device that takes no writes, whoever else may write to what is behind it. */

import { type BlockDevice, BlockDeviceError } from '@holdfast/storage/block'

const refused = (): Promise<never> => Promise.reject(new BlockDeviceError('READ_ONLY'))

/** Reads of `device`. It is not closed with what this gives. */
export const readOnlyDevice = (device: BlockDevice): BlockDevice => ({
  get sizeBytes() {
    return device.sizeBytes
  },
  physicalBlockBytes: device.physicalBlockBytes,
  isReadOnly: true,
  isThin: device.isThin,
  placeNow: (offset, lengthBytes) => device.placeNow?.(offset, lengthBytes),
  readNow: (into, offset) => device.readNow(into, offset),
  read: (into, offset) => device.read(into, offset),
  writeNow: () => false,
  write: refused,
  flush: () => device.flush(),
  unmap: refused,
  zero: refused,
  compareAndWrite: refused,
  orWrite: refused,
  provisioning: (offset, lengthBytes, maxRuns) => device.provisioning(offset, lengthBytes, maxRuns),
  usage: () => device.usage(),
  onResize: listener => device.onResize(listener),
})
