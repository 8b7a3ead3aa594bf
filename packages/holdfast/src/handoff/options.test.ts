import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { UsageError } from '@holdfast/wire'
import { ConfigError } from '../config/errors.ts'
import { directorSettings, instanceOf, serverAgentSettings } from './options.ts'
import type { HandoffFlags } from './said.ts'

/** An address of this machine other than loopback, with its interface; a machine without one cannot run either of both. */
const own = Object.entries(networkInterfaces()).flatMap(([dev, addresses]) =>
  (addresses ?? []).filter(({ internal, address }) => !internal && !address.startsWith('fe80')).map(({ address }) => ({ dev, address })),
)[0]
const skip = own === undefined && 'this machine has no address other than loopback'
const { dev, address } = own ?? { dev: 'lo', address: '127.0.0.1' }
const host = address.includes(':') ? `[${address}]` : address

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-handoff-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

const key = Buffer.alloc(32, 1)
const readKey = (path: string): Buffer => {
  if (path.endsWith('short')) throw new UsageError('key-file', 'it has 3 bytes, and 32 are needed')
  return key
}
const director = (flags: HandoffFlags) =>
  directorSettings({ vip: `${host}:80`, dev, 'key-file': 'key', owner: ['/=192.0.2.1:7450'], ...flags }, folder, readKey)
const agent = (flags: HandoffFlags) =>
  serverAgentSettings({ dev: [dev], listen: `${host}:7450`, local: `${host}:80`, 'key-file': 'key', ...flags }, folder, readKey)

const allowed = `"lo:x" is not allowed; allowed: the name of a network interface`
const ownAllowed = 'an address of this machine other than loopback, and a port'
const endpointAllowed = 'ADDR:PORT with an IP address'

describe('what is wrong is told in one line: the key, the value, what is allowed', { skip }, () => {
  for (const [settings, flags, message] of [
    [director, { vip: undefined }, '--vip is missing; allowed: ADDR:PORT'],
    [director, { vip: 'example.org:80' }, `--vip: "example.org:80" is not allowed; allowed: ${endpointAllowed}`],
    [director, { vip: '192.0.2.77' }, `--vip: "192.0.2.77" is not allowed; allowed: ${endpointAllowed}`],
    [director, { vip: '192.0.2.77:80' }, `--vip: "192.0.2.77:80" is not allowed; allowed: ${ownAllowed}`],
    [director, { vip: '127.0.0.1:80' }, `--vip: "127.0.0.1:80" is not allowed; allowed: ${ownAllowed}`],
    [director, { dev: 'lo:x' }, `--dev: ${allowed}`],
    [director, { dev: 'nowhere0' }, '--dev: "nowhere0" is not allowed; allowed: the name of a network interface'],
    [director, { mode: 'fast' }, '--mode: "fast" is not allowed; allowed: per-request, sticky, close'],
    [director, { owner: undefined }, '--owner is missing; allowed: PREFIX=ADDR:PORT'],
    [director, { owner: ['videos=192.0.2.1:7450'] }, '--owner: "videos=192.0.2.1:7450" is not allowed; allowed: PREFIX=ADDR:PORT'],
    [director, { owner: ['/=agent:7450'] }, '--owner: "/=agent:7450" is not allowed'],
    [director, { routes: 'routes' }, '--routes: "routes" is not allowed beside --owner'],
    [director, { attach: 'xdp' }, '--attach: "xdp" is not allowed; allowed: auto, tcx, clsact'],
    [director, { 'raise-port': '70000' }, '--raise-port: "70000" is not allowed; allowed: a port from 1 to 65535'],
    [director, { idle: '0s' }, '--idle: "0s" is not allowed; allowed: a duration such as'],
    [director, { 'key-file': undefined }, '--key-file is missing; allowed: the path of a file'],
    [director, { 'key-file': 'short' }, '--key-file: "short" is not allowed: it has 3 bytes'],
    [director, { metrics: ':9450' }, `--metrics: ":9450" is not allowed; allowed: ${endpointAllowed}`],
    [agent, { dev: undefined }, '--dev is missing'],
    [agent, { listen: undefined }, '--listen is missing'],
    [agent, { local: '127.0.0.1:8080' }, `--local: "127.0.0.1:8080" is not allowed; allowed: ${ownAllowed}`],
    [agent, { dev: [dev, 'nowhere0'] }, '--dev: "nowhere0" is not allowed'],
  ] as const) {
    test(`${settings.name}: ${message}`, () => {
      assert.throws(
        () => settings(flags),
        (error: Error) => error instanceof ConfigError && error.message.startsWith(message) && !error.message.includes('\n'),
      )
    })
  }
})

describe('what was said', { skip }, () => {
  test('defaults', () => {
    const settings = director({})
    assert.deepEqual(settings, {
      vip: { host: address, port: 80 },
      dev,
      mode: 'per-request',
      forward: 'auto',
      owners: ['/=192.0.2.1:7450'],
      key,
      pinDir: `/sys/fs/bpf/holdfast/director-${dev}`,
      control: { role: 'director', dev, runDir: '/run/holdfast' },
      attach: 'auto',
      logLevel: 'info',
    })
    assert.equal(agent({}).pinDir, `/sys/fs/bpf/holdfast/server-agent-${dev}`)
  })

  test('the file says the same with the same words, and flags override it', () => {
    const file = join(folder, 'director.yaml')
    writeFileSync(
      file,
      `vip: "${host}:8080"\ndev: ${dev}\nkey-file: keys/key\nowner:\n  - /=192.0.2.1:7450\n  - example.org/a=192.0.2.2:7450\nidle: 1h\n`,
    )
    const asked: string[] = []
    const settings = directorSettings({ config: file, vip: `${host}:81` }, '/', path => {
      asked.push(path)
      return key
    })
    assert.deepEqual(settings.vip, { host: address, port: 81 })
    assert.deepEqual(settings.owners, ['/=192.0.2.1:7450', 'example.org/a=192.0.2.2:7450'])
    assert.equal(settings.idleMs, 3_600_000)
    assert.deepEqual(asked, [join(folder, 'keys/key')], 'paths are relative to the file that says them')
  })

  for (const [text, message] of [
    ['- a\n', 'a mapping of vip, dev, mode'],
    ['vip: {}\n', 'vip in FILE: "{}" is not allowed; allowed: ADDR:PORT'],
    ['wip: x\n', 'FILE: there is no key "wip"; allowed: vip, dev, mode'],
    ['"\n', 'FILE is not YAML'],
  ] as const) {
    test(`a file that is ${JSON.stringify(text)}`, () => {
      const file = join(folder, 'bad.yaml')
      writeFileSync(file, text)
      assert.throws(
        () => directorSettings({ config: file }, '/', readKey),
        (error: Error) => error instanceof ConfigError && error.message.includes(message.replace('FILE', file)),
      )
    })
  }

  test('--status and --detach need no more than the interface', () => {
    assert.deepEqual(instanceOf('server-agent', { dev: ['eth9'], run: 'run' }, '/tmp'), {
      control: { role: 'server-agent', dev: 'eth9', runDir: '/tmp/run' },
      pinDir: '/sys/fs/bpf/holdfast/server-agent-eth9',
    })
  })
})
