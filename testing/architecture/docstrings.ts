import { blank, lineAt, resolveRelative } from './imports.ts'
import type { Repository, SourceFile } from './repository.ts'

/** An export of a room that nobody described. */
export interface Undocumented {
  readonly path: string
  readonly line: number
  readonly name: string
}

const declaration =
  /^export (?:declare )?(?:default )?(?:async )?(?:abstract )?(?:function\*?|class|interface|type|const|let|var) +([A-Za-z_$][\w$]*)/gm
const localDeclaration = (name: string): RegExp =>
  new RegExp(`^(?:async )?(?:abstract )?(?:function\\*?|class|interface|type|const|let|var) +${name.replaceAll('$', '\\$')}\\b`, 'm')
const reexport = /^export (?:type )?(?:(\*)(?: as ([\w$]+))?|\{([^}]*)\})(?: from '([^']+)')?/gm

/** The exports of all rooms' public files (what `exports` in package.json names, followed through re-exports) without a docstring. */
export function exportsWithoutDocstring(repository: Repository): Undocumented[] {
  const files = new Map(repository.files.map(file => [file.path, file]))
  const found = new Map<string, Undocumented>()
  for (const room of repository.rooms) {
    for (const entry of Object.values(room.exports)) {
      for (const missing of undocumentedOf(files, resolveRelative(`${room.folder}/package.json`, entry), undefined, new Set())) {
        found.set(`${missing.path}:${missing.name}`, missing)
      }
    }
  }
  return [...found.values()]
}

/** What of `names` (undefined: of everything) a file exports without a docstring. */
function undocumentedOf(
  files: ReadonlyMap<string, SourceFile>,
  path: string,
  names: ReadonlySet<string> | undefined,
  seen: Set<string>,
): Undocumented[] {
  const file = files.get(path)
  const key = `${path} ${names === undefined ? '*' : [...names].join()}`
  if (file === undefined || seen.has(key)) return []
  seen.add(key)
  const code = blank(file.text, { strings: false })
  const result: Undocumented[] = []
  const report = (name: string, index: number): void => {
    if (!hasDocstring(file.text, index) && !isSpecified(file.text, name)) result.push({ path, line: lineAt(code, index), name })
  }

  const overloads = new Set<string>()
  for (const match of code.matchAll(declaration)) {
    const name = match[1] ?? ''
    if (overloads.has(name) || (names !== undefined && !names.has(name))) continue
    overloads.add(name)
    report(name, match.index)
  }
  for (const match of code.matchAll(reexport)) {
    const [, star, , list, from] = match
    const target = from?.startsWith('.') === true ? resolveRelative(path, from) : undefined
    if (star !== undefined) {
      if (target !== undefined) result.push(...undocumentedOf(files, target, names, seen))
      continue
    }
    const wanted = namesIn(list ?? '').filter(({ exported }) => names === undefined || names.has(exported))
    if (from === undefined) {
      for (const { local } of wanted) {
        const place = localDeclaration(local).exec(code)
        if (place !== null) report(local, place.index)
      }
    } else if (target !== undefined) {
      result.push(...undocumentedOf(files, target, new Set(wanted.map(({ local }) => local)), seen))
    }
  }
  return result
}

/** A constant under the name that a specification or a system header gives it, in a file that says which one at its top. */
function isSpecified(text: string, name: string): boolean {
  return /^[A-Z][A-Z0-9_]+$/.test(name) && text.startsWith('/**')
}

/** `a, type b as c` -> [{a, a}, {b, c}]. */
function namesIn(list: string): { readonly local: string; readonly exported: string }[] {
  return list
    .split(',')
    .map(item => item.trim().replace(/^type /, ''))
    .filter(item => item !== '')
    .map(item => {
      const [local = '', exported = local] = item.split(/ +as +/)
      return { local, exported }
    })
}

/**
 * True when a block comment that opens with two stars ends right above the position. One comment serves a block of one-line
 * constants or types that stand below each other without a gap. Remarks for the linter may stand between.
 */
function hasDocstring(text: string, index: number): boolean {
  const before = text.slice(0, index).replace(/(?:\/\/ oxlint-[^\n]*\n)+$/, '')
  const above = before.trimEnd()
  if (above.endsWith('*/')) return above.slice(above.lastIndexOf('/*')).startsWith('/**')
  const previous = before.slice(before.lastIndexOf('\n', before.length - 2) + 1)
  return /^export (const|type) .+\n$/.test(previous) && hasDocstring(before, before.length - previous.length)
}
