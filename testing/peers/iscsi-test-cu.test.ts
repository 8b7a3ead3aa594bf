import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { runScsiTests, scsiTests, scsiVerdict } from './iscsi-test-cu.ts'
import type { ScsiTestResult } from './iscsi-test-cu.ts'
import { missing } from './packages.ts'
import { alice, startServer } from './server.ts'
import type { Server } from './server.ts'

/** What libiscsi does not run here, and why. */
const skipped: Readonly<Record<string, string>> = {
  'PreventAllow.Simple': 'wants a removable medium',
  'PreventAllow.Eject': 'wants a removable medium',
  'PreventAllow.ITNexusLoss': 'wants a removable medium',
  'PreventAllow.Logout': 'wants a removable medium',
  'PreventAllow.WarmReset': 'wants a removable medium',
  'PreventAllow.ColdReset': 'wants a removable medium',
  'PreventAllow.LUNReset': 'wants a removable medium',
  'PreventAllow.2ITNexuses': 'wants a removable medium',
  'StartStopUnit.Simple': 'wants a removable medium',
  'ReadOnly.ReadOnlySBC': 'wants a unit that is protected from writes',
  'Sanitize.CryptoErase': 'wants a medium that is encrypted: CRYPTOGRAPHIC ERASE changes its key',
  'Sanitize.Readonly': 'ends with CRYPTOGRAPHIC ERASE',
  'Sanitize.Reservations': 'begins with CRYPTOGRAPHIC ERASE',
  'WriteSame10.ZeroBlocks': 'zero blocks mean all that follow, which is more than MAXIMUM WRITE SAME LENGTH',
  'WriteSame16.ZeroBlocks': 'zero blocks mean all that follow, which is more than MAXIMUM WRITE SAME LENGTH',
}

/** What no disk with 8 logical blocks in a physical one passes, and runs on one with as large logical blocks. */
const onLargeBlocks: Readonly<Record<string, string>> = {
  'GetLBAStatus.UnmapSingle':
    'asks for the status from LBA n + 1 on, and wants the first descriptor to begin at n + 8 (SBC-4 5.6.2: where it was asked for)',
}

/** What libiscsi 1.19.0 (Debian 12) fails by itself. */
const broken: Readonly<Record<string, string>> = {
  'iSCSITMF.LUNResetSimpleAsync':
    'compares what its callback has set before that can have been called; passes since commit 5553d6b of libiscsi, "Move an assert statement"',
}

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
    // Large enough that SANITIZE, which overwrites 128 MiB/s at most, still goes on when Sanitize.Reset looks, 3 s after it has begun.
    const volumes = ['disk0=640MiB', 'large=256MiB,block-size=4096'].flatMap(volume => ['--volume', volume])
    server = await startServer({ shares: {}, extra: [...volumes, '--iscsi', '127.0.0.1:0'] })
    const { host, port } = server.iscsi
    const url = (volume: string): string => `iscsi://${alice.user}%${alice.password}@${host}:${port}/iqn.2026-11.io.holdfast:${volume}/0`
    const isOf = (table: Readonly<Record<string, string>>, name: string): boolean => Object.hasOwn(table, name.replace('ALL.', ''))
    results = (async () => {
      const tests = (await scsiTests()).filter(name => !isOf(broken, name))
      return [
        ...(await runScsiTests({ url: url('disk0'), tests: tests.filter(name => !isOf(onLargeBlocks, name)) })),
        ...(await runScsiTests({ url: url('large'), tests: tests.filter(name => isOf(onLargeBlocks, name)) })),
      ]
    })()
  })
  after(() => server?.[Symbol.asyncDispose]())

  test('all of them are run, but for what is broken', async () => {
    assert.equal((await results).length, (await scsiTests()).length - Object.keys(broken).length)
  })

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
