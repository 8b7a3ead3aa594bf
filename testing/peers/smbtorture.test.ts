import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { root } from '../run/root.ts'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { alice, bob, startServer } from './server.ts'
import type { Server } from './server.ts'
import { familyOf, readList, runTorture, secondShare, tortureShares, verdictOf } from './smbtorture.ts'

describe('verdicts of smbtorture', () => {
  const output = (stdout: string, status = 0) => verdictOf({ stdout, status, timedOut: false })

  test('a success line and status 0 is a pass', () => {
    assert.deepEqual(output('test: a\nsuccess: a\n'), { outcome: 'pass', reason: '' })
  })
  test('a failure line beats a success line and carries its reason', () => {
    assert.deepEqual(output('success: a\nfailure: b [\n  wrong status\n]\n'), { outcome: 'fail', reason: 'wrong status' })
  })
  test('a success line with another exit status is an error', () => {
    assert.deepEqual(output('success: a\n', 1), { outcome: 'error', reason: 'exit status 1: success: a' })
  })
  test('silence is an error', () => {
    assert.deepEqual(output(''), { outcome: 'error', reason: 'no verdict printed' })
  })
  test('a skip is a skip', () => {
    assert.deepEqual(output('skip: a [\nno leases\n]\n'), { outcome: 'skip', reason: 'no leases' })
  })
})

describe("Samba's smbtorture: the required tests", { skip: missing('smbtorture') }, () => {
  const tests = readList(join(root, 'testing/peers/smbtorture-required.txt'))
  const jobs = 2
  let folder: TemporaryFolder
  let server: Server
  let results: ReturnType<typeof runTorture>

  before(async () => {
    folder = temporaryFolder('torture')
    const { names, folders } = tortureShares(folder, jobs)
    server = await startServer({ shares: folders })
    results = runTorture({ endpoint: server.smb, shares: names, secondShare, accounts: [alice, bob], tests })
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  for (const family of new Set(tests.map(familyOf))) {
    test(family, async () => {
      const bad = (await results).filter(result => familyOf(result.test) === family && result.outcome !== 'pass')
      assert.equal(bad.map(({ test: name, outcome, reason }) => `\n  ${outcome} ${name}: ${reason}`).join(''), '')
    })
  }

  test('the server is still there', () => {
    assert.ok(server.isRunning, server.log.slice(-4000))
  })
})
