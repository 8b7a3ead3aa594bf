import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { runScsiTests, scsiVerdict } from './iscsi-test-cu.ts'
import type { ScsiTestResult } from './iscsi-test-cu.ts'
import { missing } from './packages.ts'
import { alice, startServer } from './server.ts'
import type { Server } from './server.ts'

/** What libiscsi does not run here, and why. */
const skipped: Readonly<Record<string, string>> = {}

describe('verdicts of iscsi-test-cu', () => {
  const output = (stdout: string, status = 0) => scsiVerdict({ stdout, stderr: '', status, timedOut: false })
  const summary = (ran: number, passed: number, failed: number): string =>
    `               tests      1    ${ran}      ${passed}      ${failed}        0\n`

  test('a test that ran and passed is a pass', () => {
    assert.deepEqual(output(summary(1, 1, 0)), { outcome: 'pass', reason: '' })
  })
  test('one with a part left out is a skip', () => {
    assert.deepEqual(output(`    [SKIPPED] no such command\n${summary(1, 1, 0)}`), { outcome: 'skip', reason: '[SKIPPED] no such command' })
  })
  test('a failure carries its reason', () => {
    assert.deepEqual(output(`    [FAILED] wrong sense\n${summary(1, 0, 1)}`), { outcome: 'fail', reason: '[FAILED] wrong sense' })
  })
  test('silence and a bad exit status are errors', () => {
    assert.equal(output('').outcome, 'error')
    assert.equal(output(summary(1, 1, 0), 1).outcome, 'error')
  })
})

describe("libiscsi's iscsi-test-cu, all of it", { skip: missing('iscsi-test-cu') }, () => {
  let server: Server
  let results: Promise<readonly ScsiTestResult[]>

  before(async () => {
    server = await startServer({ shares: {}, extra: ['--volume', 'disk0=1GiB', '--iscsi', '127.0.0.1:0'] })
    const { host, port } = server.iscsi
    results = runScsiTests({ url: `iscsi://${alice.user}%${alice.password}@${host}:${port}/iqn.2026-11.io.holdfast:disk0/0` })
  })
  after(() => server?.[Symbol.asyncDispose]())

  test('no test fails', async () => {
    const bad = (await results).filter(({ outcome }) => outcome !== 'pass' && outcome !== 'skip')
    assert.equal(bad.map(({ test: name, outcome, reason }) => `\n  ${outcome} ${name}: ${reason}`).join(''), '')
  })

  test('what is skipped is what is known to be', async () => {
    const names = (await results).filter(({ outcome }) => outcome === 'skip').map(({ test: name }) => name.replace('ALL.', ''))
    assert.deepEqual(names.toSorted(), Object.keys(skipped).toSorted())
  })

  test('the server is still there', () => {
    assert.ok(server.isRunning, server.log.slice(-4000))
  })
})
