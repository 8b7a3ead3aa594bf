import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { formatAddress, parseAddress } from './addresses.ts'
import { type Flags, resolveConfig } from './config.ts'
import { ConfigError } from './errors.ts'
import { parseConfig } from './file.ts'
import { nodeNameFrom, nodeNamePattern } from './names.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts'
import { parseVolumeOptions, parseVolumeSize, volumeOptionWords } from './volumes.ts'
import { fileJsonSchema } from './words.ts'

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-config-'))
  mkdirSync(join(folder, 'docs'))
  mkdirSync(join(folder, 'etc', 'photos'), { recursive: true })
})
after(() => rmSync(folder, { recursive: true, force: true }))

const resolve = (flags: Flags) => resolveConfig(flags, { cwd: folder, hostname: 'my-machine.example.org' })

function file(text: string): string {
  const path = join(folder, 'etc', 'holdfast.yaml')
  writeFileSync(path, text)
  return path
}

/** The one line a person reads. */
function refusal(flags: Flags): string {
  try {
    resolve(flags)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    assert.equal(error.message.includes('\n'), false)
    return error.message
  }
  return assert.fail('it was accepted')
}

describe('defaults, file, flags', () => {
  test('nothing given: state beside the caller, no shares, signing required, named after the machine', () => {
    assert.deepEqual(resolve({}), {
      stateDir: join(folder, '.holdfast'),
      shares: [],
      volumes: [],
      users: [],
      admins: [],
      smb: [],
      iscsi: [],
      http: [],
      content: [],
      nodeName: 'my-machine',
      nodeNamed: false,
      signing: 'required',
      ntlm: 'on',
      anonymous: 'off',
      metrics: 'login',
      limits: { engine: {}, smb: {} },
      logLevel: 'info',
    })
  })

  const noOptions = {
    readOnly: false,
    encrypt: false,
    accessBasedEnumeration: false,
    continuouslyAvailable: false,
    delayedWriteTimes: true,
    isPublic: false,
    hasActiveContent: false,
  }

  test('a file says what flags say, in the same words; its paths are relative to it', () => {
    const config = resolve({
      config: file(`
state: state
share:
  - photos=photos,read-only,public,active-content
  - { name: docs, path: ../docs, options: [encrypt, access-based-enumeration], comment: "Papers", users: [alice] }
volume:
  - disk0=1GiB,no-auth,initiator=iqn.1993-08.org.debian:01:AbC
  - { name: disk1, size: 1.5GiB, options: [read-only], block-size: 4096, users: [alice, bob] }
volumes: ../disks
iscsi: :0
mutual-chap: server
user: alice:secret:with:colons
smb: ["127.0.0.1:0", "[::1]:4450"]
http: :8081
content: [":80", "[::1]"]
workers: 3
node: FILES
signing: enabled
keytab: server.keytab
realm: EXAMPLE.COM
ntlm: off
limit: { connections: 10, inboundBytes: 64MiB, credits: 512 }
log-level: debug
log-format: json
`),
    })
    assert.deepEqual(config, {
      stateDir: join(folder, 'etc', 'state'),
      shares: [
        { ...noOptions, name: 'photos', path: join(folder, 'etc', 'photos'), readOnly: true, isPublic: true, hasActiveContent: true, comment: '' },
        { ...noOptions, name: 'docs', path: join(folder, 'docs'), encrypt: true, accessBasedEnumeration: true, comment: 'Papers', users: ['alice'] },
      ],
      volumes: [
        { name: 'disk0', sizeBytes: 2 ** 30, readOnly: false, noAuth: true, initiators: ['iqn.1993-08.org.debian:01:abc'] },
        { name: 'disk1', sizeBytes: 1.5 * 2 ** 30, readOnly: true, noAuth: false, blockBytes: 4096, users: ['alice', 'bob'] },
      ],
      volumesDir: join(folder, 'disks'),
      iscsi: [{ host: '', port: 0 }],
      mutualChap: 'server',
      users: [{ name: 'alice', password: 'secret:with:colons' }],
      admins: [],
      smb: [
        { host: '127.0.0.1', port: 0 },
        { host: '::1', port: 4450 },
      ],
      http: [{ host: '', port: 8081 }],
      content: [
        { host: '', port: 80 },
        { host: '::1', port: 8081 },
      ],
      workers: 3,
      nodeName: 'FILES',
      nodeNamed: true,
      signing: 'enabled',
      kerberos: { keytab: join(folder, 'etc', 'server.keytab'), realms: ['EXAMPLE.COM'] },
      ntlm: 'off',
      anonymous: 'off',
      metrics: 'login',
      limits: { engine: { connections: 10, inboundBytes: 64 * 2 ** 20 }, smb: { credits: 512 } },
      logLevel: 'debug',
      logFormat: 'json',
    })
  })

  test('flags override the file, limits one by one; flag paths are relative to the caller', () => {
    const config = resolve({
      config: file('smb: 127.0.0.1:1\nworkers: 3\nlimit: {connections: 10, credits: 512}\nshare: photos=photos'),
      smb: ['127.0.0.1:2'],
      workers: '1',
      limit: ['connections=20'],
      share: ['docs=docs'],
    })
    assert.deepEqual(config.smb, [{ host: '127.0.0.1', port: 2 }])
    assert.equal(config.workers, 1)
    assert.deepEqual(config.limits, { engine: { connections: 20 }, smb: { credits: 512 } })
    assert.deepEqual(
      config.shares.map(share => share.path),
      [join(folder, 'docs')],
    )
  })
})

describe('bad configuration: one line with key, value and what is allowed', () => {
  for (const [flags, expected] of [
    [{ smb: ['localhost:99999'] }, '--smb: "localhost:99999" is not allowed; allowed: ADDR:PORT'],
    [{ workers: '0' }, '--workers: "0" is not allowed; allowed: a whole number from 1 to 64'],
    [{ workers: 'many' }, '--workers: "many" is not allowed'],
    [{ share: ['docs'] }, '--share: "docs" is not allowed; allowed: NAME=DIR[,option...]'],
    [{ share: ['docs=docs,writable'] }, '"writable" is none of them'],
    [{ share: ['IPC$=docs'] }, '--share: "IPC$" is not allowed'],
    [{ share: ['docs=nowhere'] }, 'allowed: a folder that exists'],
    [{ share: ['docs=docs', 'DOCS=docs'] }, '--share: "DOCS" is not allowed; allowed: each share name once'],
    [{ iscsi: ['x:y'] }, '--iscsi: "x:y" is not allowed; allowed: ADDR:PORT'],
    [{ 'mutual-chap': 'a:b' }, '--mutual-chap: "a:b" is not allowed; allowed: a name of up to 64 characters'],
    [{ volume: ['disk0'] }, '--volume: "disk0" is not allowed; allowed: NAME=SIZE[,option...]'],
    [{ volume: ['disk0=large'] }, '--volume: "disk0=large" is not allowed; allowed: a size from 1MiB to 1PiB'],
    [{ volume: ['disk0=1KiB'] }, '--volume: "disk0=1KiB" is not allowed; allowed: a size from 1MiB to 1PiB'],
    [{ volume: ['Disk0=1GiB'] }, '--volume: "Disk0" is not allowed; allowed: a name of up to 63 lower-case letters'],
    [{ volume: ['disk0=1GiB', 'disk0=2GiB'] }, '--volume: "disk0" is not allowed; allowed: each volume name once'],
    [{ volume: ['disk0=1GiB,no-auth=1'] }, '--volume: "no-auth=1" is not allowed; allowed: the options read-only, no-auth, checksums, block-size='],
    [{ volume: ['disk0=1GiB,fast'] }, '--volume: "fast" is not allowed; allowed: the options'],
    [{ volume: ['disk0=1GiB,block-size=1024'] }, '--volume: "block-size=1024" is not allowed'],
    [{ volume: ['disk0=1GiB,initiator=me'] }, '--volume: "initiator=me" is not allowed'],
    [{ volume: ['disk0=1GiB,constructor=me'] }, '--volume: "constructor=me" is not allowed'],
    [{ volume: ['disk0=1GiB,no-auth,user=alice'] }, '--volume: "no-auth" is not allowed together with "user"'],
    [{ ntlm: 'off' }, '--ntlm: without NTLM nobody could log in; "off" needs Kerberos (--keytab FILE)'],
    [{ anonymous: 'on', ntlm: 'off', keytab: 'k' }, '--anonymous: only NTLM knows clients without a name; "on" needs --ntlm on'],
    [{ ntlm: 'no', keytab: 'k' }, '--ntlm: "no" is not allowed; allowed: on or off'],
    [{ realm: ['EXAMPLE.COM'] }, '--realm says whose Kerberos users may log in; it needs --keytab FILE'],
    [{ realm: ['user@EXAMPLE.COM'], keytab: 'k' }, '--realm: "user@EXAMPLE.COM" is not allowed; allowed: a Kerberos realm'],
    [{ signing: 'off' }, '--signing: "off" is not allowed; allowed: required or enabled'],
    [{ 'log-level': 'loud' }, '--log-level: "loud" is not allowed; allowed: trace, debug'],
    [{ limit: ['speed=9'] }, '--limit: "speed=9" is not allowed; allowed: NAME=VALUE with one of connections'],
    [{ limit: ['connections=0'] }, '--limit: "connections=0" is not allowed; allowed: a whole number from 1 to 16384'],
    [{ limit: ['connections'] }, '--limit: "connections" is not allowed'],
    [{ node: 'a name that is much too long' }, '--node: "a name that is much too long" is not allowed'],
    [{ config: 'nowhere.yaml' }, '--config: '],
  ] as const) {
    test(expected, () => assert.ok(refusal(flags).includes(expected), refusal(flags)))
  }

  for (const [text, expected] of [
    ['smb: 99', 'smb in '],
    ['smb: [127.0.0.1:1, nope:x]', 'smb[1] in '],
    ['colour: red', 'there is no key "colour"; allowed: state, share'],
    ['shares: docs=docs', 'there is no key "shares"; did you mean "share"?'],
    ['share: [{ name: docs }]', 'share[0].path in '],
    ['share: { name: docs, path: photos, size: 3 }', 'there is no key "share.size"'],
    ['volume: { name: disk0 }', 'volume.size in '],
    ['volume: [{ name: disk0, size: 1GiB, options: [fast] }]', 'volume[0].options[0] in '],
    ['volume: { name: disk0, size: 1GiB, block-size: 1024 }', 'volume.block-size in '],
    ['limit: { speed: 1 }', 'there is no key "limit.speed"'],
    ['limit: { credits: 3 }', 'limit.credits in '],
    ['- a', 'a mapping of state, share'],
    ['smb: [', 'is not YAML in line 1'],
    ['a: &a [b]\nc: [*a, *a]', 'is not YAML'],
  ] as const) {
    test(`${JSON.stringify(text)}: ${expected}`, () => assert.ok(refusal({ config: file(text) }).includes(expected), refusal({ config: file(text) })))
  }

  test('what has to be encrypted is not for everybody in clear text', () => {
    for (const option of ['public', 'active-content']) {
      assert.match(refusal({ share: [`docs=docs,encrypt,${option}`] }), new RegExp(`the share option ${option} is of no use beside encrypt`))
    }
  })

  test('a password is never shown, wherever it is wrong', () => {
    for (const user of ['alice', 'hunter2:', ':hunter2', 'al/ice:hunter2', `alice:${'hunter2'.repeat(50)}`]) {
      assert.equal(refusal({ user: [user] }).includes('hunter2') && user !== 'hunter2:', false)
      assert.ok(refusal({ user: [user] }).includes('allowed: NAME:PASSWORD'))
    }
    assert.equal(refusal({ config: file('user: { alice: hunter2 }') }).includes('hunter2'), false)
  })
})

describe('what this version does not have is refused, not ignored', () => {
  for (const flags of [
    { rdma: ['127.0.0.1:5445'] },
    { store: 'sqlite' },
    { cluster: 'c1' },
    { share: ['docs=docs,scale-out'] },
    { share: ['docs=docs,read-only,scale-out'] },
  ] as const) {
    test(Object.entries(flags).join(' '), () => {
      assert.match(refusal(flags), /not available yet/)
      assert.equal(refusal(flags).includes('secret'), false)
    })
  }
})

test('the published JSON schema is the one of the words (holdfast config schema)', () => {
  const published = JSON.parse(readFileSync(new URL('../../holdfast.schema.json', import.meta.url), 'utf8')) as object
  assert.deepEqual(
    published,
    JSON.parse(JSON.stringify(fileJsonSchema())),
    'npm run holdfast -- config schema > packages/holdfast/holdfast.schema.json',
  )
})

test('any YAML is configuration or one line about what is wrong', () => {
  const value = fc.jsonValue()
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('smb', 'share', 'user', 'limit', 'workers', 'node', 'other'), value), record => {
      try {
        parseConfig(JSON.stringify(record), 'x.yaml')
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error))
        assert.equal(error.message.includes('\n'), false)
      }
    }),
  )
})

test('sizes and durations are read as people write them', () => {
  assert.deepEqual(['512', '1KiB', '1.5GiB', '10GB', '1 MiB', '3kB'].map(parseSize), [512, 1024, 1.5 * 2 ** 30, 1e10, 2 ** 20, 3000])
  assert.deepEqual(['', 'x', '-1', '1XB', '1e3', '99999999PB'].map(parseSize), [undefined, undefined, undefined, undefined, undefined, undefined])
  assert.deepEqual(['250ms', '30s', '1.5m', '2h', '1d'].map(parseDuration), [250, 30_000, 90_000, 7_200_000, 86_400_000])
  assert.equal(parseDuration('5'), undefined)
  assert.deepEqual([0, 1023, 1536, 10 * 2 ** 20, 123.4 * 2 ** 30, 1023.6 * 1024].map(formatSize), [
    '0 B',
    '1023 B',
    '1.50 KiB',
    '10.0 MiB',
    '123 GiB',
    '1.00 MiB',
  ])
  assert.deepEqual([0, 65_000, 3_725_000].map(formatDuration), ['0:00', '1:05', '1:02:05'])
})

test('a volume has a whole number of 4 KiB blocks, at least as many bytes as were asked for; its options can be said again', () => {
  for (const size of ['1MiB', '10GB', '1.0001GiB', '1PiB', 1_048_577]) {
    const bytes = parseVolumeSize(size)!
    assert.equal(bytes % 4096, 0)
    assert.ok(bytes >= parseSize(size)! && bytes - parseSize(size)! < 4096)
  }
  assert.deepEqual(['1.1PiB', '1023KiB', '-1', ''].map(parseVolumeSize), [undefined, undefined, undefined, undefined])
  const words = ['read-only', 'block-size=4096', 'user=alice', 'user=bob', 'initiator=iqn.2026-11.org.example:a']
  assert.deepEqual(volumeOptionWords(parseVolumeOptions(words, { key: 'volume' })), words)
})

test('addresses', () => {
  for (const [text, expected] of [
    ['127.0.0.1:0', '127.0.0.1:0'],
    ['127.0.0.1', '127.0.0.1:4450'],
    ['[::1]:445', '[::1]:445'],
    ['[::1]', '[::1]:4450'],
    ['localhost:1', 'localhost:1'],
    [':445', '[::]:445'],
  ] as const) {
    const address = parseAddress(text, 4450)
    assert.equal(address && formatAddress(address), expected)
  }
  for (const text of ['', '::1:445', '1.2.3:4', '1.2.3.4.5', '256.1.1.1:1', '[zz]:1', 'a b:1', '127.0.0.1:65536', '[1.2.3.4]:5', 'x:']) {
    assert.equal(parseAddress(text, 4450), undefined, text)
  }
})

test('a node gets a NetBIOS name from whatever the machine is called', () => {
  for (const name of ['files', 'a.b.c', 'UPPER_case!', '-x-', 'averyveryverylongname', '', '漢字'])
    assert.match(nodeNameFrom(name), nodeNamePattern, name)
})
