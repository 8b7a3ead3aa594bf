/** Upper-cases UTF-16 code units one by one, as Windows compares names; the length never changes. */
export const foldPath = (path: string): string => {
  // Most paths are ASCII, and for those the built-in is the same.
  if (isAscii(path)) return path.toUpperCase()
  let folded = ''
  for (let i = 0; i < path.length; i++) {
    const unit = path[i]
    const upper = unit.toUpperCase()
    folded += upper.length === 1 ? upper : unit
  }
  return folded
}

const isAscii = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

/** The folder a path lies in, undefined for the root itself. */
export const parentOf = (path: string): string | undefined => {
  if (path === '') return undefined
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}

/** The last component. */
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** Whether a folded path lies below a folded folder (not the folder itself). */
export const isBelow = (path: string, folder: string): boolean =>
  folder === '' ? path !== '' : path.length > folder.length && path.charCodeAt(folder.length) === 0x2f && path.startsWith(folder)
