/** The named pipes of IPC$ and what answers on each. */

import { lsarpc, type LsarpcView } from './lsarpc.ts'
import type { RpcService } from './service.ts'
import { srvsvc, type SrvsvcView } from './srvsvc.ts'
import { wkssvc, type WkssvcView } from './wkssvc.ts'

/** What the services of all pipes together may know of the server. */
export type PipeServicesView = SrvsvcView & WkssvcView & LsarpcView

/**
 * The pipes of one server by their names in lower case (`srvsvc`, `wkssvc`, `lsarpc`); undefined for a pipe that does not exist
 * (STATUS_OBJECT_NAME_NOT_FOUND). Build it once a worker: services hold no state of a caller.
 */
export function createPipeServices(view: PipeServicesView): ReadonlyMap<string, readonly RpcService[]> {
  const server = [srvsvc(view), wkssvc(view)]
  const authority = [lsarpc(view)]
  return new Map<string, readonly RpcService[]>([
    ['srvsvc', server],
    ['wkssvc', server],
    ['lsarpc', authority],
    // Windows clients open lsass' pipe under either name (MS-LSAT 2.1).
    ['lsass', authority],
  ])
}
