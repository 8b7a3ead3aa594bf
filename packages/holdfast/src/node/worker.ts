/** The module that every worker thread of a node runs. */

import { saveCompileCache, useCompileCache } from '../compile-cache.ts'

useCompileCache()
const { runWorker } = await import('@holdfast/engine/worker')
const { workerProtocols } = await import('./protocols.ts')
await runWorker(workerProtocols())
saveCompileCache()
