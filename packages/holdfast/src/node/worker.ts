/** The module that every worker thread of a node runs. */

import { runWorker } from '@holdfast/engine/worker'
import { workerProtocols } from './protocols.ts'

await runWorker(workerProtocols())
