/** Prometheus' text exposition format, version 0.0.4. */

import type { HistogramValue, MetricSample } from '@holdfast/engine'

/** The media type of the text format. */
export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8'

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"')

function valueText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${valueText(value)}\n`
}

/** Buckets count all that is at most their bound; the last one is all there is. */
function histogramText({ name, labels, value }: MetricSample, { bounds, counts, sum }: HistogramValue): string {
  let cumulative = 0
  const buckets = counts.map((count, index) => {
    cumulative += count
    return line(`${name}_bucket`, { ...labels, le: valueText(bounds[index] ?? Infinity) }, cumulative)
  })
  return `${buckets.join('')}${line(`${name}_sum`, labels, sum)}${line(`${name}_count`, labels, value)}`
}

/** The samples as text, those of one name together under their HELP and TYPE, in the order in which names first appear. */
export function formatMetrics(samples: readonly MetricSample[]): string {
  const byName = Map.groupBy(samples, sample => sample.name)
  let text = ''
  for (const [name, group] of byName) {
    const [{ help, type }] = group as [MetricSample, ...MetricSample[]]
    text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`
    for (const sample of group) {
      text += sample.histogram === undefined ? line(name, sample.labels, sample.value) : histogramText(sample, sample.histogram)
    }
  }
  return text
}
