/** Block devices: the interface that a SCSI disk serves, and what implements it. */
export * from './block-device.ts'
export { bytesOf, firstDifference, partOf } from './buffers.ts'
export { MemoryDevice, memoryDevice } from './memory-device.ts'
export type { MemoryDeviceOptions } from './memory-device.ts'
export * from './volume/index.ts'
