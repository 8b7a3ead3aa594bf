/** One import of a module, as written. */
export interface Import {
  readonly specifier: string
  /** 1-based. */
  readonly line: number
}

/**
 * The source with its comments (and, when asked, its strings) replaced by blanks, line breaks kept.
 *
 * Knows strings, templates and regular expressions well enough not to mistake their content for comments.
 */
export function blank(source: string, what: { readonly strings: boolean } = { strings: false }): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=(?:^|[=(,:[!&|?{};\n]|=>|\breturn)[ \t]*)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g
  return source.replace(token, text => {
    const isComment = text.startsWith('//') || text.startsWith('/*')
    return isComment || what.strings ? text.replace(/[^\n]/g, ' ') : text
  })
}

const importForms: readonly RegExp[] = [
  /(?<![.\w])(?:import|export)\s+(?:type\s+)?[^'"`;()=]*?\bfrom\s*['"]([^'"]+)['"]/g,
  /(?<![.\w])import\s*['"]([^'"]+)['"]/g,
  /(?<![.\w])(?:import|require|import\.meta\.resolve)\s*\(\s*['"`]([^'"`]+)['"`]/g,
  /(?<![.\w])new\s+URL\s*\(\s*['"`]([^'"`]+)['"`]\s*,\s*import\.meta\.url/g,
]

/** Every module a TypeScript source names: static and dynamic imports, re-exports, `new URL(…, import.meta.url)`. */
export function importsOf(source: string): Import[] {
  const code = blank(source)
  const outsideStrings = blank(source, { strings: true })
  return importForms
    .flatMap(form => [...code.matchAll(form)])
    .filter(match => outsideStrings[match.index] !== ' ')
    .map(match => ({ specifier: match[1] ?? '', line: lineAt(code, match.index) }))
    .sort((a, b) => a.line - b.line)
}

/** The 1-based line of a position. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

/** The file a relative specifier names, seen from `path`: `a/b/c.ts` + `../d.ts` -> `a/d.ts`. */
export function resolveRelative(path: string, specifier: string): string {
  const parts = path.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}

/** `@holdfast/smb/server` -> { name: '@holdfast/smb', subpath: './server' }. */
export function splitPackage(specifier: string): { readonly name: string; readonly subpath: string } {
  const parts = specifier.split('/')
  const name = parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
  return { name, subpath: `.${specifier.slice(name.length)}` }
}
