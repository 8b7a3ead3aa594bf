/** What a node that has served somebody shows at /metrics, and what is made of that: Prometheus' rules, the dashboard, the alerts. */

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import type { HoldfastServer } from './index.ts'
import { type Family, namesIn, parsePrometheus, type Series } from './test-support/prometheus-text.ts'
import { connectDisk0, connectSmb, startWholeNode } from './test-support/whole-node.ts'

const content = Buffer.alloc(100_000, 'x')
let folder = ''
let server: HoldfastServer
let families: Family[] = []

const fetchMetrics = async (): Promise<Family[]> => parsePrometheus(await (await fetch(`http://${server.http[0]}/metrics`)).text())
const seriesOf = (name: string, labels: Readonly<Record<string, string>> = {}): Series[] =>
  families
    .flatMap(family => family.series)
    .filter(series => series.name === name && Object.entries(labels).every(([key, value]) => series.labels[key] === value))
const total = (name: string, labels?: Readonly<Record<string, string>>): number => seriesOf(name, labels).reduce((sum, { value }) => sum + value, 0)

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-metrics-'))
  server = await startWholeNode(folder, { metrics: 'open' })
  await using client = await connectSmb(server)
  await using share = await client.share('docs')
  await share.writeFile('a', content)
  await share.readFile('a')
  await assert.rejects(share.readFile('nowhere'))
  await using disk = await connectDisk0(server)
  await disk.write(0, Buffer.alloc(4096, 'y'))
  await disk.read(0, 8192)
  // Sampled now and then, not when it is asked for.
  do families = await fetchMetrics()
  while (
    ['holdfast_volume_size_bytes', 'holdfast_http_requests_total'].some(name => total(name) === 0) ||
    seriesOf('holdfast_thread_busy_seconds_total').length < 3
  )
})
after(async () => {
  await server?.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('/metrics of a node that has served somebody', () => {
  test('counts what clients did', () => {
    assert.equal(total('holdfast_smb_written_bytes_total', { share: 'docs' }), content.length)
    assert.equal(total('holdfast_smb_read_bytes_total', { share: 'docs' }), content.length)
    assert.ok(total('holdfast_smb_requests_total', { command: 'create', status: 'STATUS_OBJECT_NAME_NOT_FOUND' }) >= 1)
    assert.ok(total('holdfast_smb_open_handles') >= 0)
    assert.equal(total('holdfast_iscsi_written_bytes_total', { volume: 'disk0' }), 4096)
    assert.equal(total('holdfast_iscsi_read_bytes_total', { volume: 'disk0' }), 8192)
    assert.equal(total('holdfast_volume_size_bytes', { volume: 'disk0' }), 8 << 20)
    assert.equal(total('holdfast_open_connections', { protocol: 'smb' }) + total('holdfast_open_connections', { protocol: 'iscsi' }), 2)
    assert.ok(total('holdfast_store_call_duration_seconds_count', { call: 'txn' }) >= 1)
    assert.deepEqual(
      seriesOf('holdfast_thread_busy_seconds_total')
        .map(({ labels }) => labels['thread'])
        .sort(),
      ['manager', 'worker-0', 'worker-1'],
    )
  })

  test('as many durations are observed as requests are counted, by command', () => {
    for (const [counter, histogram] of [
      ['holdfast_smb_requests_total', 'holdfast_smb_request_duration_seconds'],
      ['holdfast_iscsi_commands_total', 'holdfast_iscsi_command_duration_seconds'],
    ]) {
      const commands = new Set(seriesOf(counter).map(({ labels }) => labels['command']))
      assert.ok(commands.size > 3)
      for (const command of commands) assert.equal(total(`${histogram}_count`, { command }), total(counter, { command }), command)
    }
  })

  test('every name is in base units, with the suffix of its type, once', () => {
    const names = families.map(({ name }) => name)
    assert.deepEqual([...new Set(names)], names)
    for (const { name, type, help } of families) {
      assert.match(name, /^(holdfast|process)_[a-z]+(_[a-z]+)*$/)
      assert.equal(type === 'counter', name.endsWith('_total'), `${name}: a counter, and nothing else, ends with _total`)
      assert.doesNotMatch(name, /_(ms|us|ns|milliseconds|minutes|kib|mib|kilobytes|megabytes|percent)(_|$)/, name)
      if (/duration|delay|busy|time/.test(name)) assert.match(name, /_seconds(_total)?$/)
      if (/bytes|memory/.test(name)) assert.match(name, /_bytes(_total)?$/)
      if (type === 'histogram') assert.match(name, /_(seconds|bytes)$/)
      assert.doesNotMatch(name, /_(count|sum|bucket|info)$/)
      assert.doesNotMatch(name, /_(counter|gauge|histogram|summary)(_|$)/)
      assert.doesNotMatch(help, /\.$/, 'a HELP is no sentence')
    }
  })

  test('a series is there once, and labels are what their type allows', () => {
    for (const { name, type, series } of families) {
      const keys = series.map(one =>
        JSON.stringify([
          one.name,
          Object.entries(one.labels)
            .map(pair => pair.join('='))
            .sort(),
        ]),
      )
      assert.equal(new Set(keys).size, keys.length, name)
      for (const { labels, value } of series) {
        assert.ok(Number.isFinite(value) && value >= 0, name)
        for (const label of Object.keys(labels)) {
          assert.match(label, /^[a-z]+$/)
          assert.ok(label !== 'le' || type === 'histogram', `${name}{${label}}`)
        }
      }
    }
  })

  test('buckets rise up to the count, with the same bounds everywhere in a metric', () => {
    const histograms = families.filter(({ type }) => type === 'histogram')
    assert.ok(histograms.length >= 4)
    for (const { name, series } of histograms) {
      const bounds = new Set<string>()
      for (const { labels, value: count } of series.filter(one => one.name === `${name}_count`)) {
        const buckets = seriesOf(`${name}_bucket`, labels)
        const limits = buckets.map(one => (one.labels['le'] === '+Inf' ? Infinity : Number(one.labels['le'])))
        assert.deepEqual(
          limits,
          limits.toSorted((a, b) => a - b),
        )
        assert.equal(limits.at(-1), Infinity)
        const counts = buckets.map(({ value }) => value)
        assert.deepEqual(
          counts,
          counts.toSorted((a, b) => a - b),
        )
        assert.equal(counts.at(-1), count)
        assert.equal(seriesOf(`${name}_sum`, labels).length, 1)
        bounds.add(limits.join())
      }
      assert.equal(bounds.size, 1, name)
    }
  })
})

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string; readonly datasource: { readonly uid: string } }[]
}
interface Dashboard {
  readonly schemaVersion: number
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[] }
}

/** Every name is of a metric that a node shows, and every label of one of them; `instance` and `job` are Prometheus' own, and so is `up`. */
function checkExpression(expression: string): void {
  const { metrics, labels } = namesIn(expression)
  const known = metrics.filter(name => name !== 'up').map(name => seriesOf(name))
  for (const [index, series] of known.entries()) assert.ok(series.length > 0, `${metrics[index]} is shown by no node: ${expression}`)
  const shown = new Set(['instance', 'job', ...known.flat().flatMap(series => Object.keys(series.labels))])
  for (const label of labels) assert.ok(shown.has(label), `no metric has the label ${label}: ${expression}`)
}

describe('what is made of it', () => {
  const file = (name: string): string => readFileSync(new URL(`../dashboards/${name}`, import.meta.url), 'utf8')
  const dashboard = JSON.parse(file('holdfast.json')) as Dashboard

  test('the dashboard speaks of metrics and labels that a node shows', () => {
    const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    assert.ok(expressions.length > 30)
    for (const expression of expressions) checkExpression(expression)
    const instances = dashboard.templating.list.find(({ name }) => name === 'instance')
    const [, metric] = /^label_values\((\w+), instance\)$/.exec(instances?.definition ?? '') ?? []
    checkExpression(metric)
    assert.throws(() => checkExpression('sum(rate(holdfast_nothing_total[5m]))'), /shown by no node/)
    assert.throws(() => checkExpression('sum by (colour) (holdfast_workers)'), /the label colour/)
  })

  test('its legends name labels that their expressions keep', () => {
    for (const { title, targets = [] } of dashboard.panels) {
      for (const { expr, legendFormat } of targets) {
        const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1]
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          assert.ok(kept === undefined ? !expr.startsWith('sum') : kept.split(/, */).includes(label), `${title}: ${legendFormat}`)
        }
      }
    }
  })

  test('its panels have ids of their own, the data source that is chosen, and places that do not overlap', () => {
    const { panels, templating, schemaVersion } = dashboard
    assert.ok(schemaVersion >= 41)
    assert.equal(templating.list[0].type, 'datasource')
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    assert.deepEqual(
      panels.filter(({ type }) => type === 'row').map(({ title }) => title),
      ['Overview', 'SMB', 'iSCSI', 'Store', 'Workers'],
    )
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
  })

  test('the alerts speak of metrics and labels that a node shows, and each says what is wrong', () => {
    const { groups } = parse(file('alerts.yaml')) as {
      groups: { rules: { alert: string; expr: string; labels: { severity: string }; annotations: { summary: string } }[] }[]
    }
    const rules = groups.flatMap(group => group.rules)
    assert.ok(rules.length > 8)
    assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length)
    for (const { alert, expr, labels, annotations } of rules) {
      checkExpression(expr)
      assert.match(labels.severity, /^(info|warning|critical)$/, alert)
      assert.ok(annotations.summary.length > 10, alert)
    }
  })
})
