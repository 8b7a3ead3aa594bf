/** The page about metrics says what there is: all of it, and nothing else. */
import { lineAt } from './imports.ts'
import { isTest } from './repository.ts'
import type { SourceFile, Violation } from './repository.ts'
import type { Rule } from './rules.ts'

const page = 'docs/metrics.md'
const rule = `${page} names every metric`
/** As a string of its own, or as the key of a table. */
const inCode = /'((?:holdfast|process)_[a-z]+(?:_[a-z]+)*)'|^ {2}((?:holdfast|process)_[a-z]+(?:_[a-z]+)*): \[/gm
/** The cookie of the console. */
const isNoMetric = (name: string): boolean => name === 'holdfast_session'
const onPage = /`((?:holdfast|process)_\w+)`/g

interface Place {
  readonly path: string
  readonly line: number
}

function namesIn(files: readonly SourceFile[], pattern: RegExp): Map<string, Place> {
  const places = new Map<string, Place>()
  for (const { path, text } of files) {
    for (const match of text.matchAll(pattern)) {
      const name = match[1] ?? match[2]
      if (!isNoMetric(name) && !places.has(name)) places.set(name, { path, line: lineAt(text, match.index) })
    }
  }
  return places
}

const missingIn = (names: ReadonlyMap<string, Place>, others: ReadonlyMap<string, Place>, what: string): Violation[] =>
  [...names].filter(([name]) => !others.has(name)).map(([name, place]) => ({ rule, ...place, message: `${name} ${what}` }))

/** See above. What a running node shows is held against its rules in `packages/holdfast/src/metrics.test.ts`. */
export const metricsPage: Rule = {
  name: rule,
  check({ files }) {
    const made = namesIn(
      files.filter(({ path }) => /^packages\/.*\.ts$/.test(path) && !isTest(path)),
      inCode,
    )
    const named = namesIn(
      files.filter(({ path }) => path === page),
      onPage,
    )
    return [...missingIn(made, named, `is not in ${page}`), ...missingIn(named, made, 'is made nowhere')]
  },
}
