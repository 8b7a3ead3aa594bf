/** Reads Prometheus' text format, and the names in PromQL. */

/** One line of numbers. */
export interface Series {
  /** With `_bucket`, `_sum` or `_count` where it is a histogram's. */
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric with all its series. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly series: readonly Series[]
}

const seriesLine = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const labelPair = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/gy

/** Throws where the text is none. */
export function parsePrometheus(text: string): Family[] {
  const families: (Omit<Family, 'series'> & { readonly series: Series[] })[] = []
  let help: readonly [name: string, text: string] | undefined
  for (const line of text.split('\n')) {
    const [, helped, helpText] = /^# HELP (\S+) (.+)$/.exec(line) ?? []
    const [, typed, type] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? []
    if (helped !== undefined) help = [helped, helpText]
    else if (typed !== undefined) {
      if (help?.[0] !== typed) throw new Error(`${typed} has a TYPE without its HELP before it`)
      families.push({ name: typed, help: help[1], type, series: [] })
    } else if (line !== '') {
      const family = families.at(-1)
      const series = parseSeries(line)
      const suffixes = family?.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
      if (!suffixes.some(suffix => series.name === `${family?.name}${suffix}`)) throw new Error(`${line}: not below its TYPE`)
      family?.series.push(series)
    }
  }
  return families
}

function parseSeries(line: string): Series {
  const [, name, pairs = '', value] = seriesLine.exec(line) ?? []
  if (name === undefined) throw new Error(`${line}: is no series`)
  const labels = [...pairs.matchAll(labelPair)]
  if (labels.map(([pair]) => pair).join('') !== pairs) throw new Error(`${line}: its labels are malformed`)
  return { name, labels: Object.fromEntries(labels.map(([, label, text]) => [label, text])), value: value === '+Inf' ? Infinity : Number(value) }
}

/** What a PromQL expression speaks of. */
export interface PromQlNames {
  readonly metrics: readonly string[]
  readonly labels: readonly string[]
}

const functions = new Set('rate increase sum count max min avg histogram_quantile time max_over_time and'.split(' '))
const groupings = /\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g
const identifier = /[a-zA-Z_:][\w:]*/g

/** Everything in it that is neither a function nor a label is a metric. */
export function namesIn(expression: string): PromQlNames {
  const labels: string[] = []
  const take = (names: Iterable<string>): string => {
    labels.push(...names)
    return ' '
  }
  const rest = expression
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\{([^}]*)\}/g, (_, matchers: string) => take(matchers.replaceAll(/"(?:[^"\\]|\\.)*"/g, '').match(identifier) ?? []))
    .replaceAll(groupings, (_, names: string) => take(names.match(identifier) ?? []))
  const metrics = (rest.match(identifier) ?? []).filter(name => !functions.has(name))
  return { metrics, labels }
}
