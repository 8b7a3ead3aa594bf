/** The configuration file: YAML, checked against the words. */

import { readFileSync } from 'node:fs'
import { parse, YAMLParseError } from 'yaml'
import { ConfigError, badValue, quoted } from './errors.ts'
import { fileSchema, type WordName, wordNames, wordOf } from './words.ts'

/** Longer than any configuration; a wrong path should not be read into memory. */
const fileBytesMax = 1024 * 1024

/** Values by word, lists made of single values; shapes are checked, texts not yet. */
export type RawConfig = Partial<Record<WordName, unknown>>

interface Issue {
  readonly code: string
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly keys?: readonly string[]
  readonly errors?: readonly (readonly Issue[])[]
}

/** Throws `ConfigError` with one line that names the key, the value and what is allowed. */
export function readConfigFile(path: string): RawConfig {
  let text: string
  try {
    const bytes = readFileSync(path)
    if (bytes.length > fileBytesMax) throw new ConfigError(`--config: ${quoted(path)} is longer than ${fileBytesMax} bytes`)
    text = bytes.toString('utf8')
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError(`--config: ${quoted(path)} cannot be read: ${(error as NodeJS.ErrnoException).code}`, 'CONFIG', { cause: error })
  }
  return parseConfig(text, path)
}

/** As `readConfigFile`, of a text; `path` is for messages. */
export function parseConfig(text: string, path: string): RawConfig {
  let value: unknown
  try {
    value = parse(text, { maxAliasCount: 0 }) ?? {}
  } catch (error) {
    const where = error instanceof YAMLParseError && error.linePos ? ` in line ${error.linePos[0].line}` : ''
    throw new ConfigError(`${path} is not YAML${where}: ${firstLine(error)}`, 'CONFIG', { cause: error })
  }
  const result = fileSchema.safeParse(value)
  if (!result.success) throw issueError(result.error.issues[0], value, path)
  return result.data
}

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]

function issueError(issue: Issue, root: unknown, file: string): ConfigError {
  const deepest = innermost(issue, issue.path)
  const { path } = deepest
  if (deepest.code === 'unrecognized_keys') {
    const key = deepest.keys?.[0] ?? ''
    return badKey({ path: [...path, key], file })
  }
  const key = keyText(path)
  const value = path.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown> | undefined)?.[step], root)
  const word = path[0] as WordName
  if (path.length === 0) return new ConfigError(`${file}: a mapping of ${wordNames.join(', ')} is expected`)
  return badValue({ key, file }, wordOf(word).secret ? '***' : value, deepest.message)
}

/** Of a union's branches the one that got furthest is what was meant. */
function innermost(issue: Issue, path: readonly PropertyKey[]): Issue {
  if (issue.code !== 'invalid_union' || issue.errors === undefined) return { ...issue, path }
  const branches = issue.errors.map(branch => branch[0]).filter(found => found !== undefined)
  const nested = branches.map(found => innermost(found, [...path, ...found.path]))
  const deepest = nested.reduce<Issue | undefined>(
    (best, found) =>
      (found.path.length > path.length || found.code === 'unrecognized_keys') && found.path.length >= (best?.path.length ?? 0) ? found : best,
    undefined,
  )
  return deepest ?? { ...issue, path }
}

const keyText = (path: readonly PropertyKey[]): string =>
  path.map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i === 0 ? '' : '.'}${String(step)}`)).join('')

function badKey({ path, file }: { path: readonly PropertyKey[]; file: string }): ConfigError {
  const key = keyText(path)
  const meant = path.length === 1 ? closest(String(path[0])) : undefined
  const hint =
    meant === undefined ? `allowed: ${path.length === 1 ? wordNames.join(', ') : wordOf(path[0] as WordName).allowed}` : `did you mean "${meant}"?`
  return new ConfigError(`${file}: there is no key "${key}"; ${hint}`)
}

/** The word at an edit distance of at most 2. */
function closest(key: string): string | undefined {
  const found = wordNames.map(word => ({ word, distance: editDistance(key, word) })).sort((a, b) => a.distance - b.distance)[0]
  return found !== undefined && found.distance <= 2 ? found.word : undefined
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]
}
