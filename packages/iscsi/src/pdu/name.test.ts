import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isName, nameBytesMax, normalizeName } from './name.ts'

describe('iSCSI names (RFC 7143 4.2.7)', () => {
  for (const name of [
    'iqn.2026-11.io.holdfast:disk0',
    'iqn.2001-04.com.example',
    'iqn.2001-04.com.example:storage:diskarrays-sn-a8675309',
    'iqn.2007-10.com.github:sahlberg:libiscsi:iscsi-inq',
    'eui.02004567A425678D',
    'naa.52004567BA64678D',
    'naa.62004567BA64678D0123456789ABCDEF',
    'IQN.1993-08.org.debian:01:ABCDEF',
    `iqn.2026-11.a:${'x'.repeat(nameBytesMax - 14)}`,
  ]) {
    test(`${name.slice(0, 60)} is one`, () => assert.ok(isName(name)))
  }
  for (const name of [
    '',
    'iqn.2026-13.io.holdfast:disk0',
    'iqn.26-11.io.holdfast:disk0',
    'iqn.2026-11.',
    'iqn.2026-11.io.holdfast:disk 0',
    'iqn.2026-11.io.holdfast:disk_0',
    'iqn.2026-11.io.holdfast:disk/0',
    'eui.02004567A425678',
    'naa.52004567BA64678D0',
    'wwn.52004567BA64678D',
    `iqn.2026-11.a:${'x'.repeat(nameBytesMax - 13)}`,
    `iqn.2026-11.a:${'ü'.repeat(110)}`,
  ]) {
    test(`${JSON.stringify(name.slice(0, 60))} is none`, () => assert.ok(!isName(name)))
  }

  test('names are compared without case, in normalization form KC (RFC 3722)', () => {
    assert.equal(normalizeName('IQN.2026-11.io.Holdfast:DISK'), 'iqn.2026-11.io.holdfast:disk')
    assert.equal(normalizeName('iqn.2026-11.a:\uFF21\u212B'), 'iqn.2026-11.a:a\u00e5')
  })
})
