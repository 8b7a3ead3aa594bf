/**
 * SMB 2.0.2 to 3.1.1: where a client (`SmbClient.connect`) and a server (`createSmbServer` on a worker node) begin. The rest of either is at
 * `@holdfast/smb/client` and `@holdfast/smb/server`, what both are made of at `@holdfast/smb/messages` and `@holdfast/smb/security`.
 */
export { FolderWatch, SmbClient, SmbError, SmbFile, SmbShare } from './client/index.ts'
export type { SmbChange, SmbClientOptions, SmbEntry, SmbErrorCode, SmbStat } from './client/index.ts'
export { createPartitionMemory, createSmbServer, smbFraming } from './server/index.ts'
export type { ServedShare, ShareConfig, SmbLimits, SmbServerConfig, SmbServerOptions } from './server/index.ts'
