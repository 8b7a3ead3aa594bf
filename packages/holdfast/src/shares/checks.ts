/** What a share has to be before it is made. */

import { accessSync, constants, realpathSync, statSync } from 'node:fs'
import { isAbsolute, relative } from 'node:path'
import { quoted } from '../config/errors.ts'
import { shareNameAllowed, shareNamePattern } from '../config/names.ts'
import { isShareOption, shareOptionProblem } from '../config/shares.ts'
import { type ShareOption, shareOptionNames } from '../config/words.ts'
import { ResourceError } from '../resources/errors.ts'
import type { ShareChange } from './service.ts'

/** Throws ResourceError `INVALID_NAME`, `INVALID_PATH`, `INVALID_OPTION`. `stateDir`: what no share may show. */
export function checkShare({ name, path, options }: ShareChange & { readonly name?: string }, stateDir: string): void {
  if (name !== undefined && !shareNamePattern.test(name)) {
    throw new ResourceError('INVALID_NAME', `${quoted(name)} is not allowed; allowed: ${shareNameAllowed}`)
  }
  if (path !== undefined) checkPath(path, stateDir)
  if (options !== undefined) checkOptions(options)
}

function checkPath(path: string, stateDir: string): void {
  const problem = problemOfPath(path) ?? (showsState(path, stateDir) ? "has the node's own state" : undefined)
  if (problem !== undefined) throw new ResourceError('INVALID_PATH', `the path ${quoted(path)} ${problem}`)
}

function problemOfPath(path: string): string | undefined {
  if (!isAbsolute(path) || path.includes('\0')) return 'is not absolute'
  try {
    if (!statSync(path).isDirectory()) return 'is no folder'
    accessSync(path, constants.R_OK | constants.X_OK)
    return undefined
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    return { ENOENT: 'does not exist', ENOTDIR: 'does not exist', EACCES: 'cannot be read by the server' }[code] ?? `cannot be used: ${code}`
  }
}

/** Keys and passwords lie there. */
function showsState(path: string, stateDir: string): boolean {
  const [shared, state] = [realpathSync(path), realpathSync(stateDir)]
  return holds(shared, state) || holds(state, shared)
}

/** Both absolute. */
const holds = (folder: string, path: string): boolean => {
  const way = relative(folder, path)
  return way === '' || (way !== '..' && !way.startsWith('../'))
}

/** The words, each once, in the order of `--help`. Throws ResourceError `INVALID_OPTION`. */
export function checkOptions(words: readonly string[]): readonly ShareOption[] {
  const allowed = `the options are ${shareOptionNames.join(', ')}`
  const options = words.map(word => {
    if (!isShareOption(word)) throw new ResourceError('INVALID_OPTION', `${quoted(word)} is no option of a share; ${allowed}`)
    const problem = shareOptionProblem(word, words)
    if (problem !== undefined) throw new ResourceError('INVALID_OPTION', problem)
    return word
  })
  return shareOptionNames.filter(name => options.includes(name))
}
