/** What is made of the metrics of directors and server agents: the dashboard, and the alerts. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MetricSample } from '@holdfast/engine'
import type { DirectorMetrics } from '@holdfast/handoff/director'
import type { ServerAgentMetrics } from '@holdfast/handoff/server-agent'
import { checkAlerts, checkExpression, checkLegends, checkPanels, expressionsOf, readAlerts, readDashboard } from '../test-support/dashboard.ts'
import { directorSamples, serverAgentSamples } from './metrics.ts'

const agentRefusals = { serverDown: 1, optionMissing: 1, noRoom: 1, ending: 1, system: 1, late: 1 }

const ofDirector: DirectorMetrics = {
  accepted: 1,
  handoffs: 1,
  moves: 1,
  continued: 1,
  repeats: 1,
  refusals: { ...agentRefusals, silent: 1 },
  busy: 1,
  thawed: 1,
  restored: 1,
  proxied: 1,
  proxying: 1,
  answered: { 502: 1 },
  reset: 1,
  reading: 1,
  dropped: 1,
  resumed: 1,
  learned: 1,
  closed: 1,
  idle: 1,
  entries: 1,
  agentsHealthy: 1,
  forwardedPackets: 1,
  forwardedBytes: 1,
  raisedPackets: 1,
  raisedBytes: 1,
  unknownPackets: 1,
  answeredSyns: 1,
  droppedPackets: 1,
  knownRequests: 1,
}

const ofAgent: ServerAgentMetrics = {
  handoffs: 1,
  repeats: 1,
  refusals: agentRefusals,
  handshakes: 1,
  otherPorts: 1,
  secondLooks: 1,
  replaced: 1,
  requestsRepeated: 1,
  continued: 1,
  released: 1,
  busy: 1,
  finished: 1,
  closed: 1,
  idle: 1,
  resumed: 1,
  kept: 1,
  unknown: 1,
  connections: 1,
  outPackets: 1,
  outBytes: 1,
  inPackets: 1,
  inBytes: 1,
  droppedPackets: 1,
}

const samples = [...directorSamples(ofDirector), ...serverAgentSamples(ofAgent)]
const seriesOf = (name: string): MetricSample[] => samples.filter(sample => sample.name === name)

test('a metric that both show is of one type', () => {
  for (const { name } of samples) assert.equal(new Set(seriesOf(name).map(({ type }) => type)).size, 1, name)
})

test('the dashboard speaks of what they show, and can be read', () => {
  const dashboard = readDashboard('hand-off.json')
  assert.notEqual(dashboard.uid, readDashboard('holdfast.json').uid)
  const expressions = expressionsOf(dashboard)
  assert.ok(expressions.length > 30)
  for (const expression of expressions) checkExpression(expression, seriesOf)
  checkLegends(dashboard)
  checkPanels(dashboard)
})

test('so do the alerts', () => {
  const rules = readAlerts('hand-off-alerts.yaml')
  assert.ok(rules.length > 4)
  checkAlerts(rules, seriesOf)
})
