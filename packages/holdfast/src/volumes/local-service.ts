/** Managing volumes without a node: the state is this command's as long as it runs. */

import { nodeStoreOf, openNodeStore } from '../node/open-store.ts'
import { lockStateFolder, openStateFolder } from '../state/folder.ts'
import { volumesFolder } from './folder.ts'
import { recoverVolumeManager } from './manager.ts'
import { VolumeOwner } from './owner.ts'
import { type CallOwner, routedVolumeService } from './routed-service.ts'
import type { VolumeService } from './service.ts'

/** A service that has to be closed. */
export interface OpenVolumeService extends AsyncDisposable {
  readonly service: VolumeService
}

const nobody = { withdraw: () => Promise.resolve(), announce: () => Promise.resolve() }

/** Claims the state folder (StateError `STATE_IN_USE` while a node or another command has it) and opens its volumes. */
export async function openLocalVolumes(options: { readonly stateDir: string; readonly volumesDir?: string }): Promise<OpenVolumeService> {
  const { stateDir, volumesDir } = options
  openStateFolder(stateDir)
  await using opened = new AsyncDisposableStack()
  opened.use(lockStateFolder(stateDir))
  const store = opened.use(await openNodeStore(nodeStoreOf(stateDir)))
  const manager = opened.use(await recoverVolumeManager(await volumesFolder(store, stateDir, volumesDir), store))
  const owner = new VolumeOwner({ manager, store, audience: nobody, owns: () => true })
  // One owner, whose methods have the names that are called.
  const call = ((_worker: number, method: 'views', argument: undefined) => owner[method](argument)) as CallOwner
  const resources = opened.move()
  return { service: routedVolumeService(1, call), [Symbol.asyncDispose]: () => resources.disposeAsync() }
}
