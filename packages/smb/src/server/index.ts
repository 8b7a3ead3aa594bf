/** The SMB2 server: `createSmbServer` makes the protocol that a worker node runs. */
export * from './core/index.ts'
export { createPartitionMemory } from './opens/index.ts'
export type { OpenChanges, OpenRecord, OpenStore } from './opens/index.ts'
export { createSmbServer } from './assembly.ts'
export type { ServedShare, SmbServerOptions } from './assembly.ts'
