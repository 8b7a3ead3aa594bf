/** The opens of one worker, for whoever manages the node. */

import type { WorkerNode } from '@holdfast/engine'
import type { SmbAdministration, SmbOpenFilter, SmbOpenView, SmbShareUse } from '@holdfast/smb/server'
import { Selection } from '../resources/page.ts'

/** Id of the worker object. */
export const opensObject = 'opens/all'

/** What is asked for one page. */
export interface OpenPart {
  readonly limit: number
  /** Those above this id. */
  readonly after?: bigint
  readonly filter: SmbOpenFilter
}

/** What the object can do. */
export interface OpenMethods {
  /** The first ones after the cursor. */
  list(part: OpenPart): readonly SmbOpenView[]
  get(id: bigint): SmbOpenView | undefined
  /** Where it is arbitrated. */
  close(id: bigint): Promise<boolean>
  uses(): readonly SmbShareUse[]
}

export function registerOpens(node: Pick<WorkerNode, 'register'>, smb: SmbAdministration): void {
  const methods: OpenMethods = {
    list({ limit, after, filter }) {
      const found = new Selection<bigint, bigint>(limit, after)
      for (const id of smb.openIds(filter)) found.offer(id, id)
      return found.items.map(id => smb.open(id)).filter(open => open !== undefined)
    },
    get: id => smb.open(id),
    close: id => smb.forceClose(id),
    uses: () => smb.uses(),
  }
  node.register(opensObject, { ...methods })
}
