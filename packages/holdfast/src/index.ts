/**
 * Holdfast from Node: serve folders, or a filesystem of your own, over SMB 3.1.1; disks, or a block device of your own, over iSCSI.
 *
 *     import { serve } from 'holdfast'
 *     await using server = await serve({ shares: { docs: './docs' }, users: { alice: 'password' } })
 *     await using disks = await serve({ volumes: { disk0: '10GiB' }, users: { alice: 'a longer password' }, state: './state' })
 */
export { serve } from './embed.ts'
export type { HoldfastServer, ServedShare, ServeOptions, ShareFromFolder, ShareFromModule, ShareFromObject, ShareSettingsForServe } from './embed.ts'
export type { VolumeFromDevice, VolumeInFiles, VolumeSettingsForServe, VolumeToServe } from './embed-volumes.ts'
export { ConfigError } from './config/errors.ts'
export { StateError } from './state/errors.ts'
export { ListenError } from './node/node.ts'
export type { ShareModule } from './node/share-module.ts'
