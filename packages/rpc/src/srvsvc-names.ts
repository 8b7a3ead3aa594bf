/** Names and paths as NetprPathType, NetprPathCompare and NetprNameValidate judge them (MS-SRVS 2.2.2.9, 3.1.4.27 ff.). */

/** ITYPE_* of the paths that a file server is asked about (MS-SRVS 2.2.2.9). */
const pathTypes = { unc: 4096 /* ITYPE_PATH | ITYPE_ABSOLUTE, \\server\share\… */, absoluteWithDevice: 8706, absolute: 8704, relative: 8192 } as const

const component = String.raw`[^\\/:*?"<>|\u0000-\u001f]+`
const patterns: readonly (readonly [RegExp, number])[] = [
  [new RegExp(String.raw`^\\\\${component}\\${component}(\\${component})*\\?$`), pathTypes.unc],
  [new RegExp(String.raw`^[A-Za-z]:\\(${component}\\)*(${component})?$`), pathTypes.absoluteWithDevice],
  [new RegExp(String.raw`^\\(${component}\\)*(${component})?$`), pathTypes.absolute],
  [new RegExp(String.raw`^${component}(\\${component})*$`), pathTypes.relative],
]

/** A path's type, undefined for what is none. */
export function pathType(path: string): number | undefined {
  return path.length > 260 ? undefined : patterns.find(([pattern]) => pattern.test(path))?.[1]
}

/** Backslashes only, no `.`, no empty components. */
export function canonicalizePath(path: string): string {
  const prefix = path.startsWith('\\\\') ? '\\\\' : path.startsWith('\\') ? '\\' : ''
  const components = path.split(/[\\/]/).filter(part => part !== '' && part !== '.')
  return prefix + components.join('\\')
}

/** -1, 0 or 1, without regard to case. */
export function comparePaths(a: string, b: string): number {
  const [upperA, upperB] = [a.toUpperCase(), b.toUpperCase()]
  return upperA === upperB ? 0 : upperA < upperB ? -1 : 1
}

/** NAMETYPE_* -> longest name (MS-SRVS 2.2.2.8). */
const longestNames: Readonly<Record<number, number>> = {
  1: 256 /* user */,
  2: 256 /* password */,
  3: 256 /* group */,
  4: 15 /* computer */,
  5: 15 /* event */,
  6: 15 /* domain */,
  7: 80 /* service */,
  8: 256 /* net */,
  9: 80 /* share */,
  10: 256 /* message */,
  11: 15 /* message destination */,
  12: 8 /* share password */,
  13: 15 /* workgroup */,
}

export function isNameValid(name: string, type: number): boolean {
  const longest = longestNames[type]
  return longest !== undefined && name.length > 0 && name.length <= longest && !/["/\\[\]:|<>+=;,*?\u0000-\u001f]/.test(name) && !/^[. ]+$/.test(name)
}
