/** Rules about the text itself: what a reader should never have to stumble over. */
import { exportsWithoutDocstring } from './docstrings.ts'
import { lineAt } from './imports.ts'
import { metricsPage } from './metrics-page.ts'
import type { Rule } from './rules.ts'
import type { SourceFile, Violation } from './repository.ts'

/** Longest source file, in lines. */
export const maxLines = 500

/** Files that may be longer, each with the reason. */
const longFiles: Readonly<Record<string, string>> = {}

/** Makes a rule that reports the first place in each file where `pattern` matches. */
function textRule(name: string, pattern: RegExp, files: (file: SourceFile) => boolean): Rule {
  return {
    name,
    check: repository =>
      repository.files.filter(files).flatMap(file => {
        const match = pattern.exec(file.text)
        return match === null ? [] : [{ rule: name, path: file.path, line: lineAt(file.text, match.index), message: `has ${match[0].trim()}` }]
      }),
  }
}

const isCode = (file: SourceFile): boolean => /\.(tsx?|js|mjs|css|c|h)$/.test(file.path)

const shortFiles: Rule = {
  name: `no file over ${maxLines} lines`,
  check: repository =>
    repository.files.flatMap((file): Violation[] => {
      const lines = file.text.split('\n').length - 1
      if (!isCode(file) || lines <= maxLines || file.path in longFiles) return []
      return [{ rule: `no file over ${maxLines} lines`, path: file.path, line: maxLines, message: `has ${lines} lines; does it do one thing?` }]
    }),
}

const documented: Rule = {
  name: 'every export of a room has a docstring',
  check: repository =>
    exportsWithoutDocstring(repository).map(({ path, line, name }) => ({
      rule: 'every export of a room has a docstring',
      path,
      line,
      message: `${name} is exported by its room and has no docstring`,
    })),
}

// Spelled in pieces, so that this file does not break its own rules.
const unfinished = new RegExp(`\\b(${['TO', 'DO'].join('')}|${['FIX', 'ME'].join('')}|${['X', 'XX'].join('')})\\b(?!\\w)`)
const machinePath = new RegExp(`(?<![\\w.-])/(${['wo', 'rk'].join('')}|root|home/[a-z]+)/`)

/** All tidy rules, in the order they are reported. */
export const tidyRules: readonly Rule[] = [
  shortFiles,
  textRule('nothing is marked as unfinished', unfinished, isCode),
  textRule('no path of one machine', machinePath, () => true),
  documented,
  metricsPage,
]
