/** Filesystems that a module brings: what each worker imports for a share of kind `module`. */

import type { FileSystem, MaybePromise } from '@holdfast/storage'

/** What the module exports. `options` is what the share was configured with. */
export interface ShareModule {
  fileSystem(options: unknown): MaybePromise<FileSystem>
}

/** Imports and opens. Throws the module's own errors, and TypeError where it does not export `fileSystem`. */
export async function openShareModule(url: string, options: unknown): Promise<FileSystem> {
  const module = (await import(url)) as Partial<ShareModule>
  if (typeof module.fileSystem !== 'function') throw new TypeError(`${url} does not export a function fileSystem(options)`)
  return await module.fileSystem(options)
}
