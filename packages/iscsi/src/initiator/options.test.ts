import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UsageError } from '@holdfast/wire'
import { isName } from '../pdu/index.ts'
import { sessionSettings } from './options.ts'

const base = { host: 'storage', target: 'iqn.2026-11.io.holdfast:disk0' }

test('what is left out is filled in', () => {
  const settings = sessionSettings(base)
  assert.equal(settings.port, 3260)
  assert.equal(settings.connections, 1)
  assert.ok(isName(settings.initiatorName))
  assert.equal(settings.wanted.HeaderDigest?.join(), 'None')
  assert.equal(settings.wanted.InitialR2T, false)
})

test('names are normalized (RFC 7143 4.2.7.1)', () => {
  assert.equal(sessionSettings({ ...base, target: 'IQN.2026-11.io.Holdfast:Disk0' }).target, base.target)
})

describe('what makes no sense is refused', () => {
  for (const [code, more] of [
    ['bad-name', { target: 'disk0' }],
    ['bad-name', { initiatorName: 'host' }],
    ['bad-credentials', { user: 'alice' }],
    ['bad-credentials', { password: 'x' }],
    ['bad-credentials', { targetCredentials: { password: 'x' } }],
    ['bad-credentials', { user: 'alice', password: 'x', targetCredentials: { password: 'x' } }],
    ['bad-option', { connections: 33 }],
    ['bad-option', { timeoutMs: 0 }],
    ['bad-option', { receiveBytesMax: 511 }],
    ['bad-option', { chapHashes: [] }],
  ] as const) {
    test(`${code}: ${JSON.stringify(more)}`, () => {
      assert.throws(
        () => sessionSettings({ ...base, ...more }),
        (error: unknown) => error instanceof UsageError && error.code === code,
      )
    })
  }
})
