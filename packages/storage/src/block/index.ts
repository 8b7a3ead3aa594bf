/** Block devices: the interface that a SCSI disk serves, and what implements it. */
export * from './block-device.ts'
