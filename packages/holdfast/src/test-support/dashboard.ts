/** What holds for a dashboard of Grafana's, and for alerts of Prometheus', that are made of what a process shows. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { namesIn, type Series } from './prometheus-text.ts'

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string; readonly datasource: { readonly uid: string } }[]
}

/** A dashboard's file. */
export interface Dashboard {
  readonly title: string
  readonly uid: string
  readonly schemaVersion: number
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[] }
}

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string }
}

const file = (name: string): string => readFileSync(new URL(`../../dashboards/${name}`, import.meta.url), 'utf8')

export const readDashboard = (name: string): Dashboard => JSON.parse(file(name)) as Dashboard

/** The rules of a file of alerts. */
export const readAlerts = (name: string): Rule[] => (parse(file(name)) as { groups: { rules: Rule[] }[] }).groups.flatMap(group => group.rules)

/** Every name is of a metric that is shown, and every label of one of them; `instance` and `job` are Prometheus' own, and so is `up`. */
export function checkExpression(expression: string, seriesOf: (name: string) => readonly Series[]): void {
  const { metrics, labels } = namesIn(expression)
  const known = metrics.filter(name => name !== 'up').map(name => seriesOf(name))
  for (const [index, series] of known.entries()) assert.ok(series.length > 0, `${metrics[index]} is shown by nobody: ${expression}`)
  const shown = new Set(['instance', 'job', ...known.flat().flatMap(series => Object.keys(series.labels))])
  for (const label of labels) assert.ok(shown.has(label), `no metric has the label ${label}: ${expression}`)
}

/** All expressions of a dashboard, and the metric that tells which processes there are. */
export function expressionsOf({ panels, templating }: Dashboard): string[] {
  const instances = templating.list.find(({ name }) => name === 'instance')
  const [, metric] = /^label_values\((\w+), instance\)$/.exec(instances?.definition ?? '') ?? []
  assert.ok(metric !== undefined)
  return [metric, ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))]
}

/** Legends name labels that their expressions keep. */
export function checkLegends({ panels }: Dashboard): void {
  for (const { title, targets = [] } of panels) {
    for (const { expr, legendFormat } of targets) {
      const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1]
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        assert.ok(kept === undefined ? !expr.startsWith('sum') : kept.split(/, */).includes(label), `${title}: ${legendFormat}`)
      }
    }
  }
}

/** Panels have ids of their own, the data source that is chosen, and places that do not overlap. */
export function checkPanels({ panels, templating, schemaVersion }: Dashboard): void {
  assert.ok(schemaVersion >= 41)
  assert.equal(templating.list[0].type, 'datasource')
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  for (const { targets = [] } of panels) for (const { datasource } of targets) assert.equal(datasource.uid, '${datasource}')
  const taken = new Set<string>()
  for (const { gridPos, title } of panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(x < 24 && !taken.has(`${x},${y}`), title)
        taken.add(`${x},${y}`)
      }
    }
  }
}

/** Each alert has a name of its own, speaks of what is shown, and says what is wrong. */
export function checkAlerts(rules: readonly Rule[], seriesOf: (name: string) => readonly Series[]): void {
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length)
  for (const { alert, expr, labels, annotations } of rules) {
    checkExpression(expr, seriesOf)
    assert.match(labels.severity, /^(info|warning|critical)$/, alert)
    assert.ok(annotations.summary.length > 10, alert)
  }
}
