/**
 * Holdfast from Node: serve folders, or a filesystem of your own, over SMB 3.1.1.
 *
 *     import { serve } from 'holdfast'
 *     await using server = await serve({ shares: { docs: './docs' }, users: { alice: 'password' } })
 */
export { serve } from './embed.ts'
export type { HoldfastServer, ServedShare, ServeOptions, ShareFromFolder, ShareFromModule, ShareFromObject, ShareSettingsForServe } from './embed.ts'
export { ConfigError } from './config/errors.ts'
export { StateError } from './state/errors.ts'
export { ListenError } from './node/node.ts'
export type { ShareModule } from './node/share-module.ts'
