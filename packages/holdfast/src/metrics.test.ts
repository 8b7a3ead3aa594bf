/** What a node that has served somebody shows at /metrics, and what is made of that: Prometheus' rules, the dashboard, the alerts. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { HoldfastServer } from './index.ts'
import { checkAlerts, checkExpression, checkLegends, checkPanels, expressionsOf, readAlerts, readDashboard } from './test-support/dashboard.ts'
import { type Family, parsePrometheus, type Series } from './test-support/prometheus-text.ts'
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

describe('what is made of it', () => {
  const dashboard = readDashboard('holdfast.json')

  test('the dashboard speaks of metrics and labels that a node shows', () => {
    const expressions = expressionsOf(dashboard)
    assert.ok(expressions.length > 30)
    for (const expression of expressions) checkExpression(expression, seriesOf)
    assert.throws(() => checkExpression('sum(rate(holdfast_nothing_total[5m]))', seriesOf), /shown by nobody/)
    assert.throws(() => checkExpression('sum by (colour) (holdfast_workers)', seriesOf), /the label colour/)
  })

  test('its legends name labels that their expressions keep', () => checkLegends(dashboard))

  test('its panels have ids of their own, the data source that is chosen, and places that do not overlap', () => {
    checkPanels(dashboard)
    assert.deepEqual(
      dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title),
      ['Overview', 'SMB', 'iSCSI', 'Store', 'Workers'],
    )
  })

  test('the alerts speak of metrics and labels that a node shows, and each says what is wrong', () => {
    const rules = readAlerts('alerts.yaml')
    assert.ok(rules.length > 8)
    checkAlerts(rules, seriesOf)
  })
})
