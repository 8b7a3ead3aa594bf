import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MalformedError, UsageError } from '@holdfast/wire'
import { captured } from '../captured.ts'
import { dataSegmentBytes } from '../header.ts'
import * as text from './index.ts'

const malformed = (code: string) => (error: unknown) => error instanceof MalformedError && error.code === code
const pairsOf = (title: string): text.TextPair[] => {
  const { bytes } = captured.find(found => found.title === title)!
  return text.parseText(bytes.subarray(48, 48 + dataSegmentBytes(bytes)))
}

test('the keys of section 13: rule, default, range, when, by whom', () => {
  const rows = Object.entries<text.TextKey>(text.textKeys).map(([name, key]) =>
    [name, key.rule, key.default ?? '-', key.range?.join('..') ?? '-', key.use, key.senders, key.scope, key.irrelevantInDiscovery ? 'i' : '']
      .join(' ')
      .trim(),
  )
  assert.deepEqual(rows, [
    'AuthMethod list - - IO both CO',
    'CHAP_A exchange - - IO both CO',
    'CHAP_I exchange - - IO both CO',
    'CHAP_C exchange - - IO both CO',
    'CHAP_N exchange - - IO both CO',
    'CHAP_R exchange - - IO both CO',
    'HeaderDigest list None - IO both CO',
    'DataDigest list None - IO both CO',
    'MaxConnections minimum 1 1..65535 LO both SW i',
    'SendTargets request - - FFPO initiator SW',
    'TargetName declaration - - ALL both SW',
    'InitiatorName declaration - - IO initiator SW',
    'TargetAlias declaration - - ALL target SW',
    'InitiatorAlias declaration - - ALL initiator SW',
    'TargetAddress declaration - - ALL target SW',
    'TargetPortalGroupTag declaration - 0..65535 IO target SW',
    'InitialR2T or true - LO both SW i',
    'ImmediateData and true - LO both SW i',
    'MaxRecvDataSegmentLength declaration 8192 512..16777215 ALL both CO',
    'MaxBurstLength minimum 262144 512..16777215 LO both SW i',
    'FirstBurstLength minimum 65536 512..16777215 LO both SW i',
    'DefaultTime2Wait maximum 2 0..3600 LO both SW',
    'DefaultTime2Retain minimum 20 0..3600 LO both SW',
    'MaxOutstandingR2T minimum 1 1..65535 LO both SW i',
    'DataPDUInOrder or true - LO both SW i',
    'DataSequenceInOrder or true - LO both SW i',
    'ErrorRecoveryLevel minimum 0 0..2 LO both SW',
    'SessionType declaration Normal - LO initiator SW',
    'TaskReporting list RFC3720 - LO both SW i',
    'iSCSIProtocolLevel minimum 1 0..31 LO both SW i',
    'OFMarker obsolete - - IO both CO',
    'IFMarker obsolete - - IO both CO',
    'OFMarkInt obsolete - - IO both CO',
    'IFMarkInt obsolete - - IO both CO',
    'X#NodeArchitecture declaration - - LO both SW',
  ])
})

describe('pairs (RFC 7143 6.1)', () => {
  test('a recorded login says who asks for what', () => {
    assert.deepEqual(pairsOf('Login Request, security stage'), [
      ['InitiatorName', 'iqn.2007-10.com.github:sahlberg:libiscsi:iscsi-inq'],
      ['TargetName', 'iqn.2026-11.test.reference:disk'],
      ['SessionType', 'Normal'],
      ['AuthMethod', 'CHAP,None'],
    ])
  })

  test('text without a last zero byte, and empty pairs, are read', () => {
    assert.deepEqual(text.parseText(Buffer.from('\0InitialR2T=No\0\0ImmediateData=Yes')), [
      ['InitialR2T', 'No'],
      ['ImmediateData', 'Yes'],
    ])
  })

  test('a value may hold =, and may be empty', () => {
    assert.deepEqual(text.parseText(Buffer.from('TargetAlias=a=b\0SendTargets=\0')), [
      ['TargetAlias', 'a=b'],
      ['SendTargets', ''],
    ])
  })

  for (const [code, given] of [
    ['bad-text', 'InitialR2T\0'],
    ['bad-key', '=Yes\0'],
    ['bad-key', 'initialR2T=Yes\0'],
    ['bad-key', 'Initial R2T=Yes\0'],
    ['bad-key', `A${'b'.repeat(63)}=Yes\0`],
    ['bad-value', `TargetAlias=${'x'.repeat(256)}\0`],
    ['bad-value', `CHAP_C=0x${'a'.repeat(2049)}\0`],
  ] as const) {
    test(`${JSON.stringify(given.slice(0, 20))} is ${code}`, () => {
      assert.throws(() => text.parseText(Buffer.from(given)), malformed(code))
    })
  }

  test('a key of 63 bytes, a value of 255 and a CHAP challenge of 1024 are not too long', () => {
    const given = [
      [`A${'b'.repeat(62)}`, 'x'.repeat(255)],
      ['CHAP_C', `0x${'ab'.repeat(1024)}`],
    ] as const
    assert.deepEqual(text.parseText(text.formatText(given)), given)
  })

  test('a key that comes twice is an error, but not in an answer to SendTargets', () => {
    const twice = [
      ['TargetName', 'iqn.2026-11.a:1'],
      ['TargetName', 'iqn.2026-11.a:2'],
    ] as const
    assert.throws(() => text.textMap(twice), malformed('duplicate-key'))
    assert.deepEqual(
      text.parseTargets(twice).map(({ name }) => name),
      ['iqn.2026-11.a:1', 'iqn.2026-11.a:2'],
    )
  })

  test('what could not be read again is not written', () => {
    const wrong = (code: string) => (error: unknown) => error instanceof UsageError && error.code === code
    assert.throws(() => text.formatText([['bad key', 'x']]), wrong('bad-key'))
    assert.throws(() => text.formatText([['TargetAlias', 'a\0b']]), wrong('bad-value'))
  })

  test('one side does not take text without end', () => {
    const assembler = new text.TextAssembler()
    const segment = Buffer.alloc(32_768)
    assembler.add(segment, true)
    assembler.add(segment, true)
    assert.throws(() => assembler.add(Buffer.alloc(1), true), malformed('text-too-long'))
  })
})

describe('values (6.1)', () => {
  test('numbers are decimal or hexadecimal', () => {
    assert.deepEqual(['0', '8192', '0x2000', '0X1f'].map(text.parseNumber), [0, 8192, 8192, 31])
    assert.deepEqual(['', '-1', '012', '1.5', '0x', ' 1', '1e3', '18446744073709551615'].map(text.parseNumber), Array(8).fill(undefined))
  })

  test('binary values are hexadecimal or base64', () => {
    assert.equal(text.parseBinary('0xDA8b').toString('hex'), 'da8b')
    assert.equal(text.parseBinary('0xabc').toString('hex'), '0abc')
    assert.equal(text.parseBinary('0b2osAaP8=').toString('hex'), 'da8b0068ff')
    assert.equal(text.formatBinary(Buffer.of(1, 255)), '0x01ff')
    for (const given of ['', '12', '0x', '0xg', '0b!', '0babcde', `0x${'0'.repeat(2050)}`])
      assert.throws(() => text.parseBinary(given), malformed('bad-binary'))
  })
})

describe('negotiation of a key (6.2)', () => {
  const rows: readonly (readonly [key: string, offered: string, ours: text.WantedValue | undefined, answer: string | undefined, value: unknown])[] = [
    ['ImmediateData', 'Yes', true, 'Yes', true],
    ['ImmediateData', 'Yes', false, 'No', false],
    ['ImmediateData', 'No', true, 'No', false],
    ['InitialR2T', 'No', false, 'No', false],
    ['InitialR2T', 'No', true, 'Yes', true],
    ['InitialR2T', 'Yes', false, 'Yes', true],
    ['InitialR2T', 'No', undefined, 'Yes', true],
    ['InitialR2T', 'yes', false, 'Reject', undefined],
    ['MaxBurstLength', '262144', 65_536, '65536', 65_536],
    ['MaxBurstLength', '0x10000', 262_144, '65536', 65_536],
    ['MaxBurstLength', '100', 262_144, '512', 512],
    ['MaxBurstLength', 'much', 262_144, 'Reject', undefined],
    ['DefaultTime2Wait', '0', 2, '2', 2],
    ['DefaultTime2Wait', '5', 2, '5', 5],
    ['DefaultTime2Wait', '99999', 2, '3600', 3600],
    ['DefaultTime2Retain', '60', 20, '20', 20],
    ['HeaderDigest', 'CRC32C,None', ['None', 'CRC32C'], 'CRC32C', 'CRC32C'],
    ['HeaderDigest', 'CRC32C,None', ['None'], 'None', 'None'],
    ['HeaderDigest', 'CRC32C,None', undefined, 'None', 'None'],
    ['HeaderDigest', 'CRC32C', ['None'], 'Reject', undefined],
    ['TaskReporting', 'FastAbort,RFC3720', undefined, 'RFC3720', 'RFC3720'],
    ['MaxRecvDataSegmentLength', '65536', undefined, undefined, 65_536],
    ['TargetAlias', 'disk', undefined, undefined, 'disk'],
    ['OFMarker', 'No', undefined, 'Reject', undefined],
    ['IFMarkInt', '2048~8192', undefined, 'Reject', undefined],
    ['X-org.example.speed', 'fast', undefined, 'NotUnderstood', undefined],
  ]
  for (const [key, offered, ours, answer, value] of rows) {
    test(`${key}=${offered} for who wants ${String(ours)}: ${answer ?? 'no answer'}`, () => {
      assert.deepEqual(text.negotiate(key, offered, ours), { answer, value })
    })
  }

  test('what makes no sense in a discovery session is Irrelevant', () => {
    const isDiscovery = true
    assert.equal(text.negotiate('MaxConnections', '1', 1, { isDiscovery }).answer, 'Irrelevant')
    assert.equal(text.negotiate('DataDigest', 'None', ['None'], { isDiscovery }).answer, 'None')
  })

  test('a declaration out of range is malformed', () => {
    assert.throws(() => text.negotiate('MaxRecvDataSegmentLength', '511'), malformed('bad-value'))
  })

  test('an answer that the rule forbids is malformed', () => {
    for (const [key, offered, answer] of [
      ['ImmediateData', false, 'Yes'],
      ['InitialR2T', true, 'No'],
      ['MaxBurstLength', 65_536, '262144'],
      ['MaxBurstLength', 65_536, '100'],
      ['DefaultTime2Wait', 5, '2'],
      ['HeaderDigest', ['None'], 'CRC32C'],
      ['TaskReporting', ['RFC3720'], 'FastAbort'],
      ['MaxConnections', 4, 'many'],
    ] as const) {
      assert.throws(() => text.readAnswer(key, offered, answer), malformed('bad-answer'), `${key}=${answer}`)
    }
    assert.equal(text.readAnswer('MaxBurstLength', 65_536, 'Reject'), undefined)
    assert.equal(text.readAnswer('HeaderDigest', ['CRC32C'], 'None'), undefined, 'which tgt says for Reject')
  })
})

describe('a login as one side has it (6.3)', () => {
  const target = (more: Partial<text.NegotiatorOptions> = {}) => new text.Negotiator({ role: 'target', wanted: {}, receiveBytesMax: 65_536, ...more })

  test('answers of tgt to what libiscsi offers', () => {
    const initiator = new text.Negotiator({
      role: 'initiator',
      wanted: { HeaderDigest: ['None', 'CRC32C'], InitialR2T: false, ImmediateData: true, FirstBurstLength: 262_144, MaxConnections: 1 },
      receiveBytesMax: 262_144,
    })
    assert.deepEqual(initiator.offers()[0], ['MaxRecvDataSegmentLength', '262144'])
    initiator.receive(pairsOf('Login Response, operational stage').filter(([key]) => !key.endsWith('Marker')))
    assert.equal(initiator.agreed.InitialR2T, true)
    assert.equal(initiator.agreed.FirstBurstLength, 65_536)
    assert.equal(initiator.sendBytesMax, 8192)
    assert.ok(initiator.isSettled)
  })

  test('a target answers what libiscsi offers, and declares its own length', () => {
    const answering = target({ wanted: { ImmediateData: true, InitialR2T: false, MaxBurstLength: 1 << 20, FirstBurstLength: 1 << 20 } })
    const answers = Object.fromEntries(answering.receive(pairsOf('Login Request, operational stage')))
    assert.equal(answers['MaxRecvDataSegmentLength'], '65536')
    assert.equal(answers['InitialR2T'], 'No')
    assert.equal(answers['OFMarker'], 'Reject')
    assert.equal(answering.agreed.FirstBurstLength, 262_144)
    assert.equal(answering.sendBytesMax, 262_144)
  })

  test('FirstBurstLength is never more than MaxBurstLength (13.14)', () => {
    const answering = target({ wanted: { MaxBurstLength: 4096, FirstBurstLength: 65_536 } })
    answering.receive([
      ['MaxBurstLength', '8192'],
      ['FirstBurstLength', '65536'],
    ])
    assert.equal(answering.agreed.FirstBurstLength, 4096)
  })

  test('keys are negotiated once, by who may, when they may', () => {
    const answering = target()
    answering.receive([['InitialR2T', 'Yes']])
    assert.throws(() => answering.receive([['InitialR2T', 'Yes']]), malformed('duplicate-key'))
    assert.throws(() => answering.receive([['TargetAlias', 'x']]), malformed('bad-sender'))
    assert.throws(() => answering.receive([['SendTargets', 'All']]), malformed('bad-time'))
    const second = target({ session: { ...text.defaultAgreed, MaxBurstLength: 4096, HeaderDigest: 'CRC32C' } })
    assert.throws(() => second.receive([['MaxBurstLength', '8192']]), malformed('bad-time'))
    assert.equal(second.agreed.MaxBurstLength, 4096, 'a session keeps what its first connection agreed on')
    assert.equal(second.agreed.HeaderDigest, 'None', 'and a connection has digests of its own')
  })

  test('an initiator that names itself in each request is taken', () => {
    const answering = target()
    answering.receive([['InitiatorName', 'iqn.2026-11.a:1']])
    assert.deepEqual(answering.receive([['InitiatorName', 'iqn.2026-11.a:1']]), [])
    assert.equal(answering.declared('InitiatorName'), 'iqn.2026-11.a:1')
    assert.throws(() => answering.receive([['InitiatorName', 'iqn.2026-11.a:2']]), malformed('duplicate-key'))
  })
})

describe('TargetAddress (13.8)', () => {
  for (const [given, address] of [
    ['127.0.0.1:3291,1', { host: '127.0.0.1', port: 3291, portalGroupTag: 1 }],
    ['[fe80::1]:3260,0x10', { host: 'fe80::1', port: 3260, portalGroupTag: 16 }],
    ['storage.example,1', { host: 'storage.example', port: 3260, portalGroupTag: 1 }],
    ['storage.example', { host: 'storage.example', port: 3260 }],
  ] as const) {
    test(given, () => {
      const parsed = text.parseTargetAddress(given)
      assert.deepEqual(parsed, address)
      assert.deepEqual(text.parseTargetAddress(text.formatTargetAddress(parsed)), address)
    })
  }

  for (const given of ['', ':3260', 'a:0', 'a:65536', 'fe80::1', 'a b', 'a,65536', 'a:3260,']) {
    test(`${JSON.stringify(given)} is none`, () => assert.throws(() => text.parseTargetAddress(given), malformed('bad-address')))
  }

  test('an answer to SendTargets comes back', () => {
    const targets = [
      {
        name: 'iqn.2026-11.a:1',
        addresses: [
          { host: '::1', port: 3260, portalGroupTag: 1 },
          { host: 'b', port: 1, portalGroupTag: 2 },
        ],
      },
      { name: 'iqn.2026-11.a:2', addresses: [] },
    ]
    assert.deepEqual(text.parseTargets(text.formatTargets(targets)), targets)
    assert.deepEqual(text.parseTargets(pairsOf('Text Response')), [
      { name: 'iqn.2026-11.test.reference:disk', addresses: [{ host: '127.0.0.1', port: 3291, portalGroupTag: 1 }] },
    ])
    assert.throws(() => text.parseTargets([['TargetAddress', 'a']]), malformed('bad-targets'))
  })
})
