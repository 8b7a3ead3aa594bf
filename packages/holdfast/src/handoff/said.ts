/** What was said with words: flags over the file. */

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse, YAMLParseError } from 'yaml'
import { badValue, ConfigError, type Origin, originText, quoted } from '../config/errors.ts'
import type { HandoffWord, HandoffWords } from './words.ts'

/** A value, and where it is from. */
export interface SaidValue<T> {
  readonly value: T
  readonly text: string
  readonly origin: Origin
}

type ValueOf<W> = W extends HandoffWord<infer T> ? T : never
/** By word: none, one, or of a repeatable word several values. */
export type Said<W extends HandoffWords> = { readonly [K in keyof W]: readonly SaidValue<ValueOf<W[K]>>[] }

/** What commander collected, by word. */
export type HandoffFlags = Readonly<Record<string, string | readonly string[] | undefined>>

/** Longer than any configuration; a wrong path should not be read into memory. */
const fileBytesMax = 1024 * 1024

/** Reads flags and the file that `config` names. Throws `ConfigError` with one line that names the key, the value and what is allowed. */
export function readSaid<W extends HandoffWords>(words: W, flags: HandoffFlags, cwd: string): Said<W> {
  const path = flags['config'] as string | undefined
  const file = path === undefined ? {} : readFile(resolve(cwd, path), words)
  const said = Object.entries(words).map(([key, word]) => {
    const flag = flags[key]
    const [value, origin] = flag === undefined && path !== undefined ? [file[key], { key, file: path }] : [flag, { key }]
    return [key, textsOf(value, word, origin).map(text => parsed(text, word, origin))]
  })
  return Object.fromEntries(said) as Said<W>
}

function readFile(path: string, words: HandoffWords): Readonly<Record<string, unknown>> {
  const value = parseFile(path)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError(`${path}: a mapping of ${Object.keys(words).join(', ')} is expected`)
  }
  const unknown = Object.keys(value).find(key => !Object.hasOwn(words, key))
  if (unknown !== undefined) throw new ConfigError(`${path}: there is no key ${quoted(unknown)}; allowed: ${Object.keys(words).join(', ')}`)
  return value as Record<string, unknown>
}

function parseFile(path: string): unknown {
  try {
    const bytes = readFileSync(path)
    if (bytes.length > fileBytesMax) throw new ConfigError(`--config: ${quoted(path)} is longer than ${fileBytesMax} bytes`)
    return parse(bytes.toString('utf8'), { maxAliasCount: 0 }) ?? {}
  } catch (error) {
    if (error instanceof ConfigError) throw error
    if (error instanceof YAMLParseError) {
      throw new ConfigError(`${path} is not YAML: ${error.message.split('\n', 1)[0]}`, 'CONFIG', { cause: error })
    }
    throw new ConfigError(`--config: ${quoted(path)} cannot be read: ${(error as NodeJS.ErrnoException).code}`, 'CONFIG', { cause: error })
  }
}

function textsOf(value: unknown, word: HandoffWord, origin: Origin): string[] {
  if (value === undefined || value === null) return []
  const list: readonly unknown[] = word.repeatable && Array.isArray(value) ? value : [value]
  return list.map(item => {
    if (typeof item !== 'string' && typeof item !== 'number') throw badValue(origin, item, word.allowed)
    return String(item)
  })
}

function parsed(text: string, word: HandoffWord, origin: Origin): SaidValue<unknown> {
  const value = word.parse(text)
  if (value === undefined) throw badValue(origin, text, word.allowed)
  return { value, text, origin }
}

/** The value of a word that has to be said. */
export function required<T>(said: readonly SaidValue<T>[], key: string, word: HandoffWord<T>): SaidValue<T> {
  const found = said[0]
  if (found === undefined) throw new ConfigError(`--${key} is missing; allowed: ${word.allowed}`)
  return found
}

/** A path as it was meant: relative to the file it is named in, or to the working folder. */
export const pathOf = ({ value, origin }: SaidValue<string>, cwd: string): string =>
  resolve(origin.file === undefined ? cwd : dirname(resolve(cwd, origin.file)), value)

/** That a value is allowed by itself, but not here. */
export const notHere = ({ text, origin }: SaidValue<unknown>, allowed: string): ConfigError => badValue(origin, text, allowed)

/** That what a value names cannot be used. */
export const unusable = ({ text, origin }: SaidValue<unknown>, reason: string): ConfigError =>
  new ConfigError(`${originText(origin)}: ${quoted(text)} ${reason}`)
