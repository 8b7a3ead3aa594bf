/** The command line over the management API of a real node: what people and scripts do with it, also when the node is killed meanwhile. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { appendFileSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ApiClient, connect } from '@holdfast/api-client/node'
import { connectDisk } from '@holdfast/iscsi/initiator'
import { runCommand } from './command.ts'
import type { CommandResult } from './command.ts'
import { randomContent, temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { findProgram } from './packages.ts'
import { alice, productMain, startServer } from './server.ts'
import type { Account, Server } from './server.ts'

const MiB = 2 ** 20
const boss: Account = { user: 'boss', password: 'Stable-Genius-3' }

interface Settings {
  readonly env?: Readonly<Record<string, string>>
}

const holdfast = (words: readonly string[], { env = {} }: Settings = {}): Promise<CommandResult> =>
  runCommand(process.execPath, [productMain, ...words], { env })

/** Runs a command that has to succeed, and gives what it says. */
async function said(words: readonly string[], settings: Settings = {}): Promise<string> {
  const { status, stdout, stderr } = await holdfast(words, settings)
  assert.equal(status, 0, `${words.join(' ')}: ${stderr}`)
  return stdout
}

const serve = (folder: TemporaryFolder): Promise<Server> =>
  startServer({
    shares: {},
    state: folder.at('state'),
    workers: 2,
    extra: ['--iscsi', '127.0.0.1:0', '--admin', `${boss.user}:${boss.password}`],
  })

describe('commands for a node of this machine', { timeout: 300_000 }, () => {
  let folder: TemporaryFolder
  let server: Server
  const local = (...words: readonly string[]): Promise<string> => said([...words, '--state', folder.at('state')])
  const refused = async (...words: readonly string[]): Promise<string> => {
    const { status, stderr } = await holdfast([...words, '--state', folder.at('state')])
    assert.match(stderr, /^holdfast: [^\n]*\n$/)
    return `${status} ${stderr.slice('holdfast: '.length).trimEnd()}`
  }

  before(async () => {
    folder = temporaryFolder('cli')
    mkdirSync(folder.at('docs'))
    server = await serve(folder)
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  test('a share is made, used, changed and deleted while the node runs', async () => {
    assert.equal(await local('share', 'create', 'docs', folder.at('docs'), '--comment', 'All of us'), `share docs made: ${folder.at('docs')}\n`)
    writeFileSync(folder.at('docs', 'hello.txt'), 'hello')
    const url = `smb://${alice.user}@127.0.0.1:${server.smb.port}/docs`
    const env = { HOLDFAST_PASSWORD: alice.password }
    assert.equal(await said(['ls', url], { env }), 'hello.txt\n')
    await local('share', 'change', 'docs', '--option', 'read-only')
    assert.match(await local('share', 'list'), /^docs +\S+\/docs +\d+ +\d+ {2}api +read-only$/m)
    assert.equal((await holdfast(['mkdir', `${url}/new`], { env })).status, 1)
    assert.equal(await local('share', 'delete', 'docs'), 'share docs deleted; its files are where they were\n')
    assert.equal(statSync(folder.at('docs', 'hello.txt')).size, 5)
    assert.match(await refused('share', 'show', 'docs'), /^1 there is no share "docs"/i)
  })

  test('what cannot be done is told in a line that names the fix: 1 for what is, 2 for what was said', async () => {
    assert.match(await refused('share', 'create', 'docs', folder.at('nowhere')), /^2 .*nowhere.* does not exist/)
    assert.match(await refused('share', 'create', 'docs', folder.at('docs'), '--option', 'fast'), /^2 .*"fast".*read-only, encrypt/)
    assert.match(await refused('user', 'delete', 'boss'), /^1 .*configuration/)
    assert.match(await refused('operation', 'show', 'nope'), /^1 .*"nope"/)
    assert.match(await refused('volume', 'create', 'x', '--image', folder.at('nowhere')), /^2 .*nowhere cannot be read: ENOENT/)
  })

  test('a user is made with a role, may look at another server by it, and no more', async () => {
    const there = ['--server', `http://127.0.0.1:${server.http.port}`]
    const settings = (account: Account) => ({ env: { HOLDFAST_PASSWORD: account.password } })
    const carol: Account = { user: 'carol', password: 'Long-Enough-Secret-4' }
    const made = ['user', 'create', carol.user, '--role', 'viewer', ...there, '--user', boss.user]
    assert.equal(
      await said(made, { env: { HOLDFAST_PASSWORD: boss.password, HOLDFAST_NEW_PASSWORD: carol.password } }),
      'user carol made, with the role viewer\n',
    )
    assert.match(await said(['user', 'list', ...there, '--user', carol.user], settings(carol)), /^carol {2}viewer {2}yes +yes +api$/m)
    const more = await holdfast(['user', 'delete', 'alice', ...there, '--user', carol.user], settings(carol))
    assert.deepEqual([more.status, more.stderr.endsWith('"holdfast user change NAME --role" changes it\n')], [1, true], more.stderr)
    const guess = await holdfast(['node', ...there, '--user', carol.user], settings({ ...carol, password: 'guess' }))
    assert.deepEqual([guess.status, /check --user and the password/.test(guess.stderr)], [1, true], guess.stderr)
  })

  test('somebody who has logged in needs no password for what follows, until they log out', async () => {
    const url = `http://127.0.0.1:${server.http.port}`
    const env = { XDG_CONFIG_HOME: folder.at('config') }
    await said(['login', url, '--user', boss.user], { env: { ...env, HOLDFAST_PASSWORD: boss.password } })
    assert.equal(statSync(folder.at('config', 'holdfast', 'logins.json')).mode & 0o777, 0o600)
    await said(['volume', 'create', 'by-token', '--size', '1MiB', '--server', url], { env })
    assert.match(
      await said(['audit', '--server', url], { env }),
      /^\S+ \S+ {2}boss +127\.0\.0\.1 +volume\.create +\/v1\/volumes\/by-token +received$/m,
    )
    await said(['logout', url], { env })
    const later = await holdfast(['node', '--server', url], { env })
    assert.deepEqual([later.status, /run "holdfast login /.test(later.stderr)], [2, true], later.stderr)
  })

  test('clients are seen, and are sent away', async () => {
    mkdirSync(folder.at('busy'))
    await local('share', 'create', 'busy', folder.at('busy'))
    const { SmbClient } = await import('@holdfast/smb/client')
    await using client = await SmbClient.connect({ host: '127.0.0.1', port: server.smb.port, ...alice })
    await using share = await client.share('busy')
    await using file = await share.open('work.txt', { flags: 'w' })
    const opens = (await local('open', 'list', '--share', 'busy', '--json')).trim().split('\n')
    const open = opens.map(line => JSON.parse(line) as { id: string; path: string; user: string }).find(({ path }) => path.includes('work.txt'))
    assert.equal(open?.user, alice.user)
    assert.equal(await local('open', 'close', open?.id ?? ''), `open ${open?.id} closed\n`)
    await assert.rejects(file.write(Buffer.from('x'), 0))
    const [session] = (await local('session', 'list', '--json')).trim().split('\n')
    const { id, protocol } = JSON.parse(session ?? '') as { id: string; protocol: string }
    assert.equal(protocol, 'smb')
    assert.match(await local('session', 'show', id), new RegExp(`^user +${alice.user}$`, 'm'))
    assert.equal(await local('session', 'disconnect', id), `session ${id} ended\n`)
    // It is the client's business to come back, with another one.
    assert.match(await refused('session', 'show', id), new RegExp(`^1 there is no session "${id}"`, 'i'))
  })
})

/** An image is made of the same bytes again and again; no power of two, so that what is in the wrong place differs. */
const pieceBytes = 61 * MiB

/** A node, a raw image of so many pieces to fill a volume with, and a look at what the node does. */
async function importing(pieces: number) {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(temporaryFolder('cli', { needBytes: 3 * pieces * pieceBytes }))
  const piece = randomContent(pieceBytes)
  for (let index = 0; index < pieces; index++) appendFileSync(folder.at('disk.raw'), piece)
  const server = stack.use(await serve(folder))
  const api = stack.use(await connect({ socketPath: folder.at('state', 'control.sock') }))
  const state = folder.at('state')
  const words = [productMain, 'volume', 'create', 'disk1', '--image', folder.at('disk.raw'), '--option', 'no-auth', '--state', state]
  const owned = stack.move()
  return { folder, piece, server, api, words, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** The operation that makes the volume, when it has copied something and not yet all. */
async function halfDone(api: ApiClient): Promise<string> {
  for (;;) {
    const [operation] = (await api.operations.list()).items
    if (operation !== undefined && operation.percent > 0) {
      assert.equal(operation.state, 'running', 'it was done before it could be interrupted')
      return operation.id
    }
    await sleep(5)
  }
}

/** Starts a command and gives what it says as it says it. */
function begin(program: string, words: readonly string[]) {
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text))
  const ended = new Promise<number | null>(resolve => child.on('close', resolve))
  const until = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(output.stdout + output.stderr))
      await Promise.race([sleep(20), ended.then(() => assert.match(output.stdout + output.stderr, pattern))])
  }
  return { child, output, ended, until }
}

describe('a command that waits for an operation', { timeout: 300_000 }, () => {
  test('outlives the node: killed with -9 and started again, the operation is resumed, and the command ends with its result', async () => {
    await using given = await importing(8)
    const { folder, piece, server, api, words } = given
    const command = begin(process.execPath, words)
    const id = await halfDone(api)
    await server.kill()
    await command.until(/the node is away; waiting for it/)
    await using again = await serve(folder)
    assert.equal(await command.ended, 0, command.output.stderr)
    assert.equal(command.output.stdout, 'volume disk1 made: 488MiB, iqn.2026-11.io.holdfast:disk1\n')
    assert.match(command.output.stderr, /the operation was resumed\n/)
    assert.match(await said(['operation', 'show', id, '--state', folder.at('state')]), /^recovery +resumed/m)
    await using disk = await connectDisk({ host: again.iscsi.host, port: again.iscsi.port, target: 'iqn.2026-11.io.holdfast:disk1' })
    for (let offset = 0; offset < disk.sizeBytes; offset += MiB) {
      const expected = piece.subarray(offset % pieceBytes, (offset % pieceBytes) + MiB)
      assert.ok(Buffer.from(await disk.read(offset, MiB)).equals(expected), `what is at ${offset} is not the image's`)
    }
  })

  test('at Ctrl-C where nobody can be asked leaves it running, and says how to follow', async () => {
    await using given = await importing(12)
    const { api, words } = given
    const command = begin(process.execPath, words)
    const id = await halfDone(api)
    command.child.kill('SIGINT')
    assert.equal(await command.ended, 1)
    const [, follow = ''] = new RegExp(`^holdfast: operation ${id} goes on; follow it: holdfast (.+)\n$`, 'm').exec(command.output.stderr) ?? []
    assert.match(await said(follow.split(' ')), /^state +succeeded$/m)
  })

  const noTerminal = findProgram('script') === undefined ? 'script is not installed' : false
  test('at Ctrl-C on a terminal asks, and cancels: what was done is undone', { skip: noTerminal }, async () => {
    await using given = await importing(16)
    const { folder, api, words } = given
    // Not every shell becomes its last command by itself: one that stays has the Ctrl-C too, and ends by it.
    const line = `exec ${[process.execPath, ...words].map(word => `'${word}'`).join(' ')}`
    // A terminal, whose keys are what is written here.
    const command = begin('script', ['-qec', line, folder.at('typescript')])
    const id = await halfDone(api)
    await command.until(/disk1 +\d+% \[[=>]/)
    command.child.stdin.write('\u0003')
    await command.until(new RegExp(`Cancel operation ${id}\\? \\[y/N`))
    command.child.stdin.write('y')
    assert.equal(await command.ended, 1, command.output.stdout)
    assert.match(command.output.stdout, /holdfast: the operation on \/v1\/volumes\/disk1 was cancelled\r\n$/)
    assert.equal((await api.operations.show(id)).state, 'cancelled')
    assert.deepEqual((await api.volumes.list()).items, [])
  })

  test('with --no-wait ends with the receipt; another one follows', async () => {
    await using given = await importing(1)
    const { folder, words } = given
    const [, ...rest] = words
    const { operation } = JSON.parse(await said([...rest, '--no-wait', '--json'])) as { operation: string }
    const shown = await said(['operation', 'show', operation, '--follow', '--json', '--state', folder.at('state')])
    const { state, result } = JSON.parse(shown) as { state: string; result: { sizeBytes: number } }
    assert.deepEqual([state, result.sizeBytes], ['succeeded', pieceBytes])
  })
})
