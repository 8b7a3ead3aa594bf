/**
 * Keeps what V8 made of the sources from one start to the next: a server that is started again after a fault is there sooner.
 *
 * It has to be on before the sources are loaded, so whoever starts a thread imports this file alone, and the rest by `import()`.
 */

import { enableCompileCache, flushCompileCache } from 'node:module'
import { resolve } from 'node:path'

/** Beside the packages, where only who installed them can write; not in a folder for all, where others could put code for us. */
const defaultFolder = resolve(import.meta.dirname, '..', '..', '..', 'node_modules', '.cache', 'holdfast')

/** A folder that cannot be written costs time, nothing else. */
export function useCompileCache(): void {
  enableCompileCache(process.env['NODE_COMPILE_CACHE'] ?? defaultFolder)
}

/** Node writes the cache when a process ends by itself; a server may be killed. */
export function saveCompileCache(): void {
  flushCompileCache()
}
