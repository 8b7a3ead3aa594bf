/** Block volumes as an administrator has them: made by the configuration and by `holdfast volume`, used by libiscsi and QEMU. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '@holdfast/api-client/node'
import { mustRun, runCommand } from './command.ts'
import type { CommandResult } from './command.ts'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { ask, login } from './management-client.ts'
import { missing } from './packages.ts'
import { alice, bob, productMain, startServer } from './server.ts'
import type { Account, Endpoint, Server } from './server.ts'

/** What `--json` tells of a volume. */
interface Volume {
  readonly name: string
  readonly target: string
  readonly sizeBytes: number
  readonly usedBytes: number
  readonly options: readonly string[]
  readonly snapshots: readonly { readonly name: string; readonly sizeBytes: number }[]
}

const MiB = 2 ** 20
const targetOf = (volume: string): string => `iqn.2026-11.io.holdfast:${volume}`
const urlOf = ({ host, port }: Endpoint, volume: string, account?: Account): string =>
  `iscsi://${account === undefined ? '' : `${account.user}%${account.password}@`}${host}:${port}/${targetOf(volume)}/0`

/** Runs `holdfast volume …` on a state. */
const volumeCommand = (state: string, ...words: readonly string[]): Promise<CommandResult> =>
  runCommand(process.execPath, [productMain, 'volume', ...words, '--state', state])

async function volume(state: string, ...words: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await volumeCommand(state, ...words)
  assert.equal(status, 0, `volume ${words.join(' ')}: ${stderr}`)
  return stdout
}

async function volumeJson(state: string, ...words: readonly string[]): Promise<Volume[]> {
  const lines = (await volume(state, ...words, '--json')).split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as Volume)
}

const refusal = async (state: string, ...words: readonly string[]): Promise<{ readonly status: number | null; readonly message: string }> => {
  const { status, stderr } = await volumeCommand(state, ...words)
  return { status, message: stderr.trim() }
}

/** A node without shares, whose volumes are served at a free port. */
const serve = (state: string, ...extra: readonly string[]): Promise<Server> =>
  startServer({ shares: {}, state, workers: 2, extra: ['--iscsi', '127.0.0.1:0', ...extra] })

const pattern = (command: 'write' | 'read', byte: number, at: string, length: string): string => `${command} -P ${byte} ${at} ${length}`

/** Runs commands of qemu-io; fails where one does, or reads what it should not. */
async function qemuIo(url: string, ...commands: readonly string[]): Promise<void> {
  const { status, stdout, stderr } = await runCommand('qemu-io', ['-f', 'raw', url, ...commands.flatMap(command => ['-c', command])])
  assert.equal(status, 0, stdout + stderr)
  assert.doesNotMatch(stdout + stderr, /failed|error/i)
}

/** Whether somebody may log in; fails where anything but the login does. */
async function mayLogIn(url: string, initiator?: string): Promise<boolean> {
  const { status, stdout, stderr } = await runCommand('iscsi-inq', [...(initiator === undefined ? [] : ['-i', initiator]), url])
  if (status === 0) return /Vendor:HOLDFAST/.test(stdout)
  assert.match(stdout + stderr, /Authentication failure|Authorization failure|Target not found|login/i)
  return false
}

describe('holdfast volume without a node', { timeout: 120_000 }, () => {
  test('makes, lists, shows, grows, snapshots and deletes volumes', async () => {
    await using folder = temporaryFolder('volumes')
    const state = folder.at('state')
    assert.equal(await volume(state, 'list'), '')
    assert.equal(await volume(state, 'create', 'disk0', '--size', '1GiB'), `volume disk0 made: 1GiB, ${targetOf('disk0')}\n`)
    await volume(state, 'create', 'disk1', '--size', '64MiB', '--option', 'user=alice', '--option', 'block-size=4096')
    assert.equal(
      await volume(state, 'list'),
      [
        'NAME   SIZE      USED  SNAPSHOTS  OPTIONS',
        'disk0  1.00 GiB  0 B   0',
        'disk1  64.0 MiB  0 B   0          block-size=4096,user=alice',
        '',
      ].join('\n'),
    )
    assert.equal(await volume(state, 'resize', 'disk0', '--size', '2GiB'), 'volume disk0 has 2GiB now\n')
    assert.equal(await volume(state, 'snapshot', 'disk0', 'before'), 'snapshot disk0@before made\n')
    const [shown] = await volumeJson(state, 'show', 'disk0')
    assert.deepEqual([shown?.sizeBytes, shown?.snapshots.map(({ name }) => name)], [2048 * MiB, ['before']])
    assert.match(await volume(state, 'show', 'disk0'), /^size {7}2\.00 GiB \(2147483648 bytes\)$/m)
    assert.match(await volume(state, 'snapshot', 'list', 'disk0'), /^before {2}2\.00 GiB {2}\d{4}-/m)
    assert.equal(await volume(state, 'create', 'copy', '--from', 'disk0@before'), `volume copy made: 2GiB, ${targetOf('copy')}\n`)
    assert.equal(await volume(state, 'snapshot', 'delete', 'disk0', 'before'), 'snapshot disk0@before deleted\n')
    assert.equal(await volume(state, 'delete', 'disk0'), 'volume disk0 deleted\n')
    assert.deepEqual(
      (await volumeJson(state, 'list')).map(({ name }) => name),
      ['copy', 'disk1'],
    )
    assert.equal(readdirSync(folder.at('state', 'volumes')).length, 2)
  })

  test('says in one line what cannot be done: 1 for what is, 2 for what was said', async () => {
    await using folder = temporaryFolder('volumes')
    const state = folder.at('state')
    await volume(state, 'create', 'disk0', '--size', '1GiB')
    for (const [words, status, message] of [
      [['create', 'disk0', '--size', '1GiB'], 1, 'there is a volume "disk0" already'],
      [['resize', 'disk0', '--size', '512MiB'], 1, 'can only grow'],
      [['show', 'nope'], 1, 'there is no volume "nope"'],
      [['delete', 'nope'], 1, 'there is no volume "nope"'],
      [['snapshot', 'delete', 'disk0', 'nope'], 1, 'nope'],
      [['create', 'disk1', '--from', 'disk0@nope'], 1, 'nope'],
      [['create', 'Disk1', '--size', '1GiB'], 2, 'NAME: "Disk1" is not allowed; allowed: a name of up to 63 lower-case letters'],
      [['create', 'disk1'], 2, '--size is missing; allowed: a size from 1MiB to 1PiB'],
      [['create', 'disk1', '--size', 'big'], 2, '--size: "big" is not allowed'],
      [['create', 'disk1', '--size', '1GiB', '--option', 'fast'], 2, '--option: "fast" is not allowed'],
      [['create', 'disk1', '--from', 'disk0'], 2, '--from: "disk0" is not allowed; allowed: VOLUME@SNAPSHOT'],
    ] as const) {
      const refused = await refusal(state, ...words)
      assert.equal(refused.status, status, `${words.join(' ')}: ${refused.message}`)
      assert.ok(refused.message.startsWith('holdfast: ') && refused.message.includes(message), refused.message)
      assert.equal(refused.message.includes('\n'), false, refused.message)
    }
  })

  test('several commands at once wait for each other', async () => {
    await using folder = temporaryFolder('volumes')
    const names = ['a', 'b', 'c', 'd']
    await Promise.all(names.map(name => volume(folder.at('state'), 'create', name, '--size', '1MiB')))
    assert.deepEqual(
      (await volumeJson(folder.at('state'), 'list')).map(({ name }) => name),
      names,
    )
  })
})

describe('volumes of a node', { timeout: 300_000, skip: missing('qemu-img', 'qemu-block-extra', 'iscsi-test-cu') }, () => {
  let folder: TemporaryFolder
  let server: Server
  const state = (): string => folder.at('state')

  before(async () => {
    folder = temporaryFolder('volumes')
    await volume(state(), 'create', 'made-before', '--size', '64MiB', '--option', 'no-auth')
    server = await serve(state(), '--volume', 'configured=64MiB,no-auth')
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  test('those of the configuration and those that a command made before are targets', async () => {
    const listing = await mustRun('iscsi-ls', [`iscsi://${server.iscsi.host}:${server.iscsi.port}`])
    assert.deepEqual([...listing.matchAll(/^Target:(\S+)/gm)].map(([, target]) => target).toSorted(), ['configured', 'made-before'].map(targetOf))
    assert.match(server.ready, /^ready pid=\d+ smb=127\.0\.0\.1:\d+ iscsi=127\.0\.0\.1:\d+ http=/)
  })

  test('one that a command makes is there when the command ends, and gone when it is deleted', async () => {
    await volume(state(), 'create', 'disk1', '--size', '64MiB', '--option', 'no-auth')
    await qemuIo(urlOf(server.iscsi, 'disk1'), pattern('write', 1, '0', '1M'), pattern('read', 1, '0', '1M'), pattern('read', 0, '1M', '63M'))
    const [shown] = await volumeJson(state(), 'show', 'disk1')
    assert.equal(shown.usedBytes, MiB)
    await volume(state(), 'delete', 'disk1')
    assert.equal(await mayLogIn(urlOf(server.iscsi, 'disk1')), false)
    assert.equal((await refusal(state(), 'show', 'disk1')).status, 1)
  })

  test('one grows while it is served', async () => {
    await volume(state(), 'create', 'growing', '--size', '8MiB', '--option', 'no-auth')
    await qemuIo(urlOf(server.iscsi, 'growing'), pattern('write', 2, '7M', '1M'))
    await volume(state(), 'resize', 'growing', '--size', '16MiB')
    await qemuIo(urlOf(server.iscsi, 'growing'), pattern('read', 2, '7M', '1M'), pattern('write', 3, '15M', '1M'), pattern('read', 3, '15M', '1M'))
    assert.match((await refusal(state(), 'resize', 'growing', '--size', '8MiB')).message, /can only grow/)
  })

  test('a snapshot keeps what was there, and a new volume begins with it', async () => {
    await volume(state(), 'create', 'source', '--size', '16MiB', '--option', 'no-auth')
    await qemuIo(urlOf(server.iscsi, 'source'), pattern('write', 4, '0', '2M'))
    await volume(state(), 'snapshot', 'source', 'before')
    await qemuIo(urlOf(server.iscsi, 'source'), pattern('write', 5, '0', '1M'))
    // Of names that belong to either worker.
    for (const name of ['copy-a', 'copy-b', 'copy-c', 'copy-d']) {
      await volume(state(), 'create', name, '--from', 'source@before', '--option', 'no-auth')
      await qemuIo(urlOf(server.iscsi, name), pattern('read', 4, '0', '2M'), pattern('write', 6, '0', '1M'))
    }
    await qemuIo(urlOf(server.iscsi, 'source'), pattern('read', 5, '0', '1M'), pattern('read', 4, '1M', '1M'))
    await volume(state(), 'snapshot', 'delete', 'source', 'before')
    await qemuIo(urlOf(server.iscsi, 'source'), pattern('read', 5, '0', '1M'), pattern('read', 4, '1M', '1M'))
  })

  test('one that is read-only takes no writes', async () => {
    await volume(state(), 'create', 'fixed', '--size', '1MiB', '--option', 'no-auth', '--option', 'read-only')
    const { stdout, stderr } = await runCommand('qemu-io', ['-f', 'raw', urlOf(server.iscsi, 'fixed'), '-c', pattern('write', 1, '0', '4k')])
    assert.match(stdout + stderr, /write[- ]protected|read-only|Permission denied|Operation not permitted/i)
    await mustRun('qemu-io', ['-r', '-f', 'raw', urlOf(server.iscsi, 'fixed'), '-c', pattern('read', 0, '0', '1M')])
  })

  test('the control socket is for its owner alone, and speaks HTTP', async () => {
    const socket = folder.at('state', 'control.sock')
    assert.equal(statSync(socket).mode & 0o777, 0o600)
    // Whoever may open it logs in without a password.
    const token = await login(socket, 'local', '')
    const { status, value } = await ask(socket, { path: '/v1/volumes/configured', token })
    assert.deepEqual([status, value['target']], [200, targetOf('configured')])
  })
})

test(
  'kill -9 and the same command again: volumes, sizes, snapshots and what was flushed are there; commands work in between',
  { timeout: 120_000, skip: missing('qemu-img', 'qemu-block-extra') },
  async () => {
    await using folder = temporaryFolder('volumes')
    const state = folder.at('state')
    const server = await serve(state, '--volume', 'disk0=64MiB,no-auth')
    await qemuIo(urlOf(server.iscsi, 'disk0'), pattern('write', 7, '0', '4M'), 'flush')
    await volume(state, 'snapshot', 'disk0', 'before')
    await qemuIo(urlOf(server.iscsi, 'disk0'), pattern('write', 8, '1M', '1M'), 'flush')
    await server.kill()
    assert.ok(existsSync(folder.at('state', 'control.sock')))
    const [found] = await volumeJson(state, 'list')
    assert.deepEqual([found?.name, found?.snapshots.map(({ name }) => name)], ['disk0', ['before']])
    await using again = await serve(state, '--volume', 'disk0=128MiB,no-auth')
    await qemuIo(
      urlOf(again.iscsi, 'disk0'),
      pattern('read', 7, '0', '1M'),
      pattern('read', 8, '1M', '1M'),
      pattern('read', 7, '2M', '2M'),
      pattern('write', 9, '127M', '1M'),
    )
    assert.equal((await volumeJson(state, 'show', 'disk0'))[0]?.sizeBytes, 128 * MiB)
  },
)

test('a volume that is larger than the configuration says is an error that says what to do', { timeout: 60_000 }, async () => {
  await using folder = temporaryFolder('volumes')
  await volume(folder.at('state'), 'create', 'disk0', '--size', '64MiB')
  const words = [productMain, 'serve', '--state', folder.at('state'), '--volume', 'disk0=32MiB', '--iscsi', '127.0.0.1:0']
  const { status, stderr } = await runCommand(process.execPath, words)
  assert.deepEqual([status, stderr.includes('"disk0" has 64MiB already, and a volume cannot shrink; say disk0=64MiB')], [2, true], stderr)
})

describe('who may use a volume', { timeout: 120_000, skip: missing('iscsi-test-cu') }, () => {
  const short: Account = { user: 'carol', password: 'elevenchars' }
  const proof: Account = { user: 'server', password: 'the-server-itself' }
  const known = 'iqn.1993-08.org.debian:01:abcdef'
  let folder: TemporaryFolder
  let server: Server

  before(async () => {
    folder = temporaryFolder('volumes')
    server = await startServer({
      shares: {},
      state: folder.at('state'),
      workers: 2,
      accounts: [alice, bob, short, proof],
      extra: [
        '--iscsi=127.0.0.1:0',
        `--mutual-chap=${proof.user}`,
        '--volume=all=1MiB',
        `--volume=hers=1MiB,user=${alice.user}`,
        `--volume=known=1MiB,no-auth,initiator=${known}`,
      ],
    })
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  for (const [name, url, initiator, expected] of [
    ['a user, by CHAP', () => urlOf(server.iscsi, 'all', alice), undefined, true],
    ['nobody without a name', () => urlOf(server.iscsi, 'all'), undefined, false],
    ['nobody with a wrong password', () => urlOf(server.iscsi, 'all', { ...alice, password: 'Wrong-Horse-111' }), undefined, false],
    ['nobody whose password is too short for CHAP', () => urlOf(server.iscsi, 'all', short), undefined, false],
    ['the users that a volume names', () => urlOf(server.iscsi, 'hers', alice), undefined, true],
    ['no other user', () => urlOf(server.iscsi, 'hers', bob), undefined, false],
    ['the initiators that a volume names', () => urlOf(server.iscsi, 'known'), known, true],
    ['no other initiator', () => urlOf(server.iscsi, 'known'), `${known}0`, false],
    [
      'an initiator that asks who the target is',
      () => `${urlOf(server.iscsi, 'all', alice)}?target_user=${proof.user}&target_password=${proof.password}`,
      undefined,
      true,
    ],
  ] as const) {
    test(`${name}: ${expected ? 'in' : 'out'}`, async () => assert.equal(await mayLogIn(url(), initiator), expected))
  }

  test('the log says who cannot, and what to do', () => {
    assert.match(
      server.log,
      /carol's password has fewer than 12 characters, which iSCSI does not take; \\"holdfast user add carol\\" sets another one/,
    )
    assert.doesNotMatch(server.log, /alice's password|elevenchars/)
  })
})

test('volumes are made and deleted while workers die: what is done once is done', { timeout: 240_000 }, async () => {
  await using folder = temporaryFolder('volumes')
  const state = folder.at('state')
  await using server = await startServer({ shares: {}, state, workers: 2, extra: ['--iscsi', '127.0.0.1:0'], env: { HOLDFAST_CHAOS: '1' } })
  await using api = await connect({ socketPath: folder.at('state', 'control.sock') })
  const names: string[] = []
  for (let round = 0; round < 20; round++) {
    const name = `disk${String(round).padStart(2, '0')}`
    const making = api.volumes.create({ name, size: '8MiB' })
    // While it is on its way to its owner, is there, or on its way back.
    await sleep(round)
    server.signal('SIGUSR2')
    await making
    names.push(name)
    assert.deepEqual(
      (await Array.fromAsync(api.all('volume.list'))).map(volume => volume.name),
      names,
    )
  }
  for (const [round, name] of names.entries()) {
    const deleting = api.volumes.delete(name)
    await sleep(round)
    server.signal('SIGUSR2')
    await deleting
  }
  assert.deepEqual((await api.volumes.list()).items, [])
  assert.deepEqual(readdirSync(folder.at('state', 'volumes')), [])
})
