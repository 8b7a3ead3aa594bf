/** Paths with 8.3 names in them, as the paths they stand for (MS-FSCC 2.1.5.2.1, MS-FSA 2.1.5.1). */
import { FsError } from '@holdfast/storage'
import { looksGenerated, shortNameOf, upcaseName } from '../naming/index.ts'
import type { ShareFiles } from './share-files.ts'

/** Is there a component in the path that may be a generated 8.3 name? Nearly no path has one. */
export function mayBeShort(path: string): boolean {
  return path.includes('~') && path.split('/').some(looksGenerated)
}

/**
 * The path with long names in place of 8.3 names. A component stands for itself if there is such a file, else for the file of its folder
 * that has this 8.3 name, else for the one that had it when it was last asked for: a program that deletes a file and makes it anew by its short
 * name gets the long name back, as with tunnelling on Windows.
 */
export async function longPath(files: ShareFiles, path: string): Promise<string> {
  let folder = ''
  for (const component of path.split('/')) {
    const name = looksGenerated(component) ? await longName(files, folder, component) : component
    folder = folder === '' ? name : `${folder}/${name}`
  }
  return folder
}

/** The name in a folder that a component stands for: itself where there is such a file. */
export async function longName(files: ShareFiles, folder: string, component: string): Promise<string> {
  const path = folder === '' ? component : `${folder}/${component}`
  if ((await files.fileSystem.stat(path, { noFollow: true })) !== undefined) return component
  return files.shortNames.resolve(folder, component) ?? (await findByShortName(files, folder, upcaseName(component))) ?? component
}

async function findByShortName(files: ShareFiles, folder: string, shortName: string): Promise<string | undefined> {
  try {
    const handle = await files.fileSystem.open(folder, '', { read: true, write: false })
    try {
      const names = await handle.entryNames?.()
      return names?.find(name => shortNameOf(name) === shortName)
    } finally {
      await handle.close()
    }
  } catch (error) {
    // What is wrong with the folder shows when the file is opened.
    if (error instanceof FsError) return undefined
    throw error
  }
}
