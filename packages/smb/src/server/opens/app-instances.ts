/** An application that has moved to another machine takes over what it had open (MS-SMB2 3.3.5.9.13). */
import type { Open } from './entities.ts'
import type { PartitionState } from './partition-state.ts'
import type { AppInstance, OpenRequest } from './types.ts'

/** The open of the same instance of the application on another client; undefined where there is none. */
export const openOfInstance = (state: PartitionState, request: OpenRequest): Open | undefined => {
  const { appInstance, clientGuid } = request
  if (appInstance === undefined) return undefined
  for (const open of state.findStream(request).stream?.opens ?? []) {
    if (open.appInstance?.id === appInstance.id && open.clientGuid !== clientGuid) return open
  }
  return undefined
}

/** An instance that tells its version gives way to newer ones only, and to none that does not tell its own. */
export const givesWayTo = (former: AppInstance, { version }: AppInstance): boolean =>
  former.version === undefined || (version !== undefined && version > former.version)
