/** What has to be done about a node's volumes before its workers start. */

import { rmSync } from 'node:fs'
import type { Store } from '@holdfast/cluster'
import { type Address, defaultPorts } from '../config/addresses.ts'
import { socketPath, type SocketPath } from '../control/socket-path.ts'
import { ConfigError } from '../config/errors.ts'
import type { Logger } from '../log.ts'
import { volumesFolder } from '../volumes/folder.ts'
import { recoverVolumeManager } from '../volumes/manager.ts'
import { prepareVolumes } from '../volumes/prepare.ts'
import type { NodeConfig } from './node-config.ts'

/** Where volumes are served if nothing else is said. */
export const defaultIscsiAddress: Address = { host: '127.0.0.1', port: defaultPorts.iscsi }

/**
 * Makes the volumes what the configuration says of them. Resolves to it with the folder in which they are, and with somewhere to listen where there
 * are any. Rejects with ConfigError, `VolumeError`.
 */
export async function prepareNodeVolumes(config: NodeConfig, store: Store, log: Logger): Promise<NodeConfig> {
  const volumesDir = await volumesFolder(store, config.stateDir, config.volumesDir)
  await using manager = await recoverVolumeManager(volumesDir, store)
  await prepareVolumes({ manager, store, settings: config.volumes, log })
  const names = (await manager.list()).map(({ name }) => name)
  const { devices = [] } = config
  const twice = devices.find(({ name }) => names.includes(name))
  if (twice !== undefined) throw new ConfigError(`volumes.${twice.name}: the state has a volume of this name already; give the device another one`)
  const isUsed = config.iscsi.length + devices.length + names.length > 0
  return { ...config, volumesDir, iscsi: isUsed && config.iscsi.length === 0 ? [defaultIscsiAddress] : config.iscsi }
}

/** Where to make the control socket: what a process that was killed has left there goes, since the state is this process's now. */
export function freeControlSocket(path: string): SocketPath {
  rmSync(path, { force: true })
  return socketPath(path)
}
