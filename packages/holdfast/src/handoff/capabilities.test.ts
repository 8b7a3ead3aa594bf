import assert from 'node:assert/strict'
import { test } from 'node:test'
import { effectiveCapabilities, handoffCapabilities, lacking } from './capabilities.ts'

const status = (mask: string): string =>
  `Name:\tnode\nCapInh:\t0000000000000000\nCapPrm:\tffffffffffffffff\nCapEff:\t${mask}\nCapBnd:\tffffffffffffffff\n`

test('the effective set counts, not what might be (capabilities(7))', () => {
  assert.deepEqual(lacking(handoffCapabilities, effectiveCapabilities(status('0000000000000000'))), ['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_BPF'])
  assert.deepEqual(lacking(handoffCapabilities, effectiveCapabilities(status('0000008000003000'))), [])
  assert.deepEqual(lacking(handoffCapabilities, effectiveCapabilities(status('0000008000001000'))), ['CAP_NET_RAW'])
})

test('CAP_SYS_ADMIN stands for CAP_BPF, and for nothing else', () => {
  assert.deepEqual(lacking(handoffCapabilities, effectiveCapabilities(status('0000000000200000'))), ['CAP_NET_ADMIN', 'CAP_NET_RAW'])
})
