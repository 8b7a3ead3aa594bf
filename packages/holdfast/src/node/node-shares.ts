/** What has to be done about a node's shares before its workers start. */

import type { Store } from '@holdfast/cluster'
import { type Address, defaultPorts } from '../config/addresses.ts'
import { ShareStore } from '../shares/share-store.ts'
import type { NodeConfig } from './node-config.ts'

/** Where shares are served if nothing else is said. */
export const defaultSmbAddress: Address = { host: '127.0.0.1', port: defaultPorts.smb }

/** Resolves to the configuration with somewhere to listen, where the state has shares that were made while the node ran. */
export async function prepareNodeShares(config: NodeConfig, store: Pick<Store, 'txn' | 'range'>): Promise<NodeConfig> {
  if (config.smb.length > 0) return config
  const stored = await new ShareStore(store).list()
  return stored.length === 0 ? config : { ...config, smb: [defaultSmbAddress] }
}
