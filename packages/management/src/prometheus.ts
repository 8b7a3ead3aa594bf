/** Prometheus' text exposition format, version 0.0.4. */

import type { MetricSample } from '@holdfast/engine'

/** The media type of the text format. */
export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8'

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"')

function valueText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}

/** The samples as text, those of one name together under their HELP and TYPE, in the order in which names first appear. */
export function formatMetrics(samples: readonly MetricSample[]): string {
  const byName = Map.groupBy(samples, sample => sample.name)
  let text = ''
  for (const [name, group] of byName) {
    const [{ help, type }] = group as [MetricSample, ...MetricSample[]]
    text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`
    for (const { labels, value } of group) {
      const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
      text += `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${valueText(value)}\n`
    }
  }
  return text
}
