import { FsError } from './filesystem.ts'

const badPath = /(?:^|\/)\.{0,2}(?:\/|$)|[\0\\]/

/** Throws `invalid-name` for a path that breaks the rules of filesystem.ts: `.`, `..`, an empty component, NUL or a backslash. */
export const checkPath = (path: string): void => {
  if (path !== '' && badPath.test(path)) throw new FsError('invalid-name', `not a path: ${JSON.stringify(path)}`)
}

const badStream = /[\0/\\:]/

/** Throws `invalid-name` for a stream name with NUL, `/`, `\` or `:`. */
export const checkStream = (name: string): void => {
  if (badStream.test(name)) throw new FsError('invalid-name', `not a stream name: ${JSON.stringify(name)}`)
  if (name.length > 255) throw new FsError('name-too-long')
}

/** The path of the folder a path is in; `''` for a name in the root, and for the root. */
export const parentOf = (path: string): string => {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}

/** The last component. */
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

export const joinPath = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`)
