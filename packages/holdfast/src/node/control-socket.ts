/** Where commands of this machine reach a node. */

import { join } from 'node:path'

/** The Unix socket of a node that runs on this state: who may open it (its owner alone) may do everything. */
export const controlSocketOf = (stateDir: string): string => join(stateDir, 'control.sock')
