import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type FakeNode, type FakeNodeOptions, startFakeNode } from '@holdfast/api-client/test-support'
import type { Command } from 'commander'
import { createProgram } from '../cli.ts'
import type { CommandContext } from '../commands/context.ts'
import { Interrupts } from '../commands/interrupts.ts'
import { type CommandLineResult, runCommandLine } from '../test-support/command-line.ts'

let folder = ''
let node: FakeNode
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'))
  mkdirSync(join(folder, 'state'))
})
afterEach(async () => {
  await node?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const start = async (options: FakeNodeOptions = {}): Promise<FakeNode> =>
  (node = await startFakeNode({ socketPath: join(folder, 'state', 'control.sock'), ...options }))
const holdfast = (words: string, changed: Partial<CommandContext> = {}): Promise<CommandLineResult> =>
  runCommandLine([...words.split(' '), '--state', 'state'], { cwd: folder, ...changed })

const at = '2026-11-21T03:00:07.123Z'
const share = { name: 'docs', path: '/srv/docs', options: ['encrypt'], comment: 'all of us', origin: 'api', sessions: 2, opens: 12 }
const user = { name: 'alice', role: 'admin', disabled: false, origin: 'configuration', createdAt: at }
const open = {
  id: '2a',
  share: 'docs',
  path: '\\a\\b.txt',
  user: 'alice',
  access: 'read',
  shareAccess: 'read',
  caching: 'RWH',
  locks: 1,
  durability: 'persistent',
  waiting: true,
  deleteOnClose: false,
}
const answers = {
  '/v1/shares': [share, { ...share, name: 'long-name', sessions: 100, options: [], problem: 'its folder is gone' }],
  '/v1/shares/docs': share,
  '/v1/users': [user],
  '/v1/users/alice': { ...user, disabled: true },
  '/v1/opens': [open],
  '/v1/node': { name: 'n1', version: '0.1.0', startedAt: at, workers: 2, listeners: [{ protocol: 'smb', address: '127.0.0.1:4450' }] },
  '/v1/audit': [{ id: 'a1', at, user: 'alice', address: '127.0.0.1', action: 'login', target: '', outcome: 'refused', detail: 'wrong' }],
}

describe('what is shown', () => {
  test('lists are tables, numbers end at the same place, problems are told', async () => {
    await start({ answers })
    assert.deepEqual(await holdfast('share list'), {
      code: 0,
      err: '',
      out: [
        'NAME       PATH       SESSIONS  OPENS  FROM  OPTIONS',
        'docs       /srv/docs         2     12  api   encrypt',
        'long-name  /srv/docs       100     12  api   PROBLEM: its folder is gone',
        '',
      ].join('\n'),
    })
    assert.match((await holdfast('open list')).out, /^2a {2}alice {2}read {4}RWH {10}1 {2}persistent, waits for its client {2}docs\/a\/b\.txt$/m)
    assert.match((await holdfast('audit')).out, /^2026-11-21 03:00:07 {2}alice {2}127\.0\.0\.1 {2}login +refused {2}wrong$/m)
  })

  test('one is told in lines, and as JSON; colours are for terminals', async () => {
    await start({ answers })
    assert.equal(
      (await holdfast('share show docs')).out,
      'name       docs\npath       /srv/docs\noptions    encrypt\ncomment    all of us\nfrom       api\nsessions   2\nopens      12\n',
    )
    assert.deepEqual(JSON.parse((await holdfast('share show docs --json')).out), share)
    assert.match((await holdfast('user show alice', { colours: true })).out, /^may log in \u001b\[33mno\u001b\[0m$/m)
    assert.match((await holdfast('node')).out, /^workers {4}2\nsmb {8}127\.0\.0\.1:4450$/m)
  })

  test('a session that is begun for a command ends with it', async () => {
    const { requests } = await start({ answers })
    await holdfast('node show')
    assert.deepEqual(requests, ['POST /v1/login', 'GET /v1/node', 'POST /v1/logout'])
  })
})

describe('operations', () => {
  const created = { name: 'docs', path: '/srv', options: [] }

  test('end with their result', async () => {
    await start({ result: ({ request }) => ({ name: 'docs', ...(request as object) }) })
    const made = await holdfast('share create docs files --option encrypt')
    assert.deepEqual(made, { code: 0, out: `share docs made: ${join(folder, 'files')}\n`, err: '' })
    assert.deepEqual(node.operations.get('o1')?.request, { name: 'docs', path: join(folder, 'files'), options: ['encrypt'] })
    assert.deepEqual(JSON.parse((await holdfast('share change docs --no-option --json')).out), { name: 'docs', options: [] })
    assert.equal((await holdfast('share delete docs')).out, 'share docs deleted; its files are where they were\n')
    const withPassword = await holdfast('user create bob --role viewer', { environment: { HOLDFAST_PASSWORD: 'secret' } })
    assert.equal(withPassword.out, 'user bob made, with the role viewer\n')
    assert.equal((await holdfast('session disconnect s1')).out, 'session s1 ended\n')
  })

  test('with --no-wait end with the receipt', async () => {
    await start()
    const text = 'operation o1 received; follow it: holdfast operation show o1 --follow --state '
    assert.equal((await holdfast('share create docs . --no-wait')).out, `${text}${join(folder, 'state')}\n`)
    assert.deepEqual(JSON.parse((await holdfast('share create docs . --no-wait --json')).out), { received: true, operation: 'o2' })
  })

  test('on a terminal have a bar, which is gone at the end; the result alone is on stdout', async () => {
    await start()
    const running = holdfast('share create docs .', { terminal: true })
    await node.until(({ operations, streams }) => operations.size === 1 && streams === 1)
    node.tell('o1', { state: 'running', percent: 42, note: 'looking at it' })
    node.cut()
    await node.until(({ streams }) => streams === 1)
    node.tell('o1', { state: 'succeeded', percent: 100, result: created })
    const { code, out, err } = await running
    assert.deepEqual([code, out], [0, 'share docs made: /srv\n'])
    assert.match(err, /docs +42% \[=+> +\] looking at it {2}0:00/)
    assert.ok(err.endsWith('\r\u001b[K'), err)
  })

  test('that fail say why, and what to do', async () => {
    await start()
    const failing = holdfast('share create docs .')
    await node.until(({ operations, streams }) => operations.size === 1 && streams === 1)
    node.tell('o1', { state: 'failed', problem: { type: 'about:blank', title: 'x', status: 507, detail: 'the store is full', code: 'NO_SPACE' } })
    assert.deepEqual(await failing, { code: 1, out: '', err: 'holdfast: the store is full; free some space, and try again\n' })
  })

  test('can be followed later', async () => {
    await start()
    await holdfast('share create docs . --no-wait')
    const following = holdfast('operation show o1 --follow')
    await node.until(({ requests }) => requests.includes('GET /v1/operations/o1'))
    node.tell('o1', { state: 'succeeded', percent: 100, result: created })
    assert.match((await following).out, /^id +o1\n[^]*state +succeeded\n[^]*result +\{"name":"docs"/)
  })

  describe('at Ctrl-C', () => {
    const interrupts = new Interrupts()
    const wait = async (answer: boolean | undefined): Promise<CommandLineResult> => {
      await start()
      const shown: string[] = []
      const err = { write: (text: string) => (shown.push(text), true) } as NodeJS.WritableStream
      const asked = Promise.withResolvers<string>()
      const confirm = async (question: string) => (asked.resolve(question), answer)
      const running = holdfast('share create docs .', { interrupts, confirm, terminal: true, err })
      await node.until(({ operations, streams }) => operations.size === 1 && streams === 1)
      node.tell('o1', { state: 'running', percent: 10 })
      while (!shown.join('').includes('10%')) await new Promise(setImmediate)
      interrupts.interrupt()
      assert.equal(await asked.promise, 'Cancel operation o1? [y/N, Ctrl-C: leave it running] ')
      if (answer === false) node.tell('o1', { state: 'succeeded', percent: 100, result: created })
      return { ...(await running), err: shown.join('') }
    }

    test('are cancelled where somebody says yes', async () => {
      const { code, err } = await wait(true)
      assert.equal(code, 1)
      assert.match(err, /holdfast: the operation on \/v1\/shares\/docs was cancelled\n$/)
      assert.equal(node.operations.get('o1')?.state, 'cancelled')
    })
    test('go on where somebody says no', async () => assert.deepEqual([(await wait(false)).code, node.operations.get('o1')?.state], [0, 'succeeded']))
    test('are left running at the second one', async () => {
      const { code, err } = await wait(undefined)
      assert.equal(code, 1)
      assert.match(err, /holdfast: operation o1 goes on; follow it: holdfast operation show o1 --follow --state /)
      assert.equal(node.operations.get('o1')?.state, 'running')
    })
  })
})

describe('errors name the fix', () => {
  for (const [words, code, message] of [
    [
      'share list',
      1,
      /no node runs on the state folder .*state: start one with "holdfast serve", or say --state DIR or --server http:\/\/HOST:PORT\n$/,
    ],
    ['share list --user alice', 2, /--user is for --server/],
    ['share list --server ftp://x/', 2, /--server: "ftp:\/\/x\/" is not allowed; allowed: http:\/\/HOST:PORT/],
    ['share list --server http://127.0.0.1:1', 2, /nobody is logged in at http:\/\/127\.0\.0\.1:1: say --user NAME, or run "holdfast login/],
    ['share change docs', 2, /there is nothing to change/],
    ['user change alice --role boss', 2, /--role: "boss" is not allowed; allowed: user, viewer, admin/],
    ['operation list --limit 0', 2, /--limit: "0" is not allowed/],
    ['volume create disk0 --image x', 1, /--image needs a node that runs/],
  ] as const) {
    test(`holdfast ${words}: ${code}`, async () => {
      const result = await holdfast(words, { environment: { HOME: folder } })
      assert.deepEqual([result.code, result.out], [code, ''], result.err)
      assert.match(result.err, message)
      assert.equal(result.err.trimEnd().includes('\n'), false)
    })
  }

  test('what is not as it should be is told by field, and is wrong usage', async () => {
    await start()
    node.refusals.push({ status: 422, code: 'INVALID' })
    const result = await holdfast('share show docs')
    assert.deepEqual([result.code, result.err], [2, 'holdfast: name: is so\n'])
  })
})

describe('other servers', () => {
  const environment = (): Record<string, string> => ({ HOME: folder, HOLDFAST_PASSWORD: 'correct horse' })

  test('with a password, or logged in before', async () => {
    node = await startFakeNode({ answers })
    const { url } = node
    assert.match((await holdfast(`node list --server ${url} --user alice`, { environment: environment() })).out, /^n1 {4}0\.1\.0/m)
    assert.match(
      (await holdfast(`node list --server ${url} --user eve`, { environment: environment() })).err,
      /it is WRONG_CREDENTIALS; check --user/,
    )
    const login = await runCommandLine(['login', url, '--user', 'alice'], { cwd: folder, environment: environment() })
    assert.match(login.out, /^logged in at http:\S+ as alice \(admin\), until /)
    assert.equal(statSync(join(folder, '.config/holdfast/logins.json')).mode & 0o777, 0o600)
    const later = { HOME: folder, HOLDFAST_SERVER: url }
    assert.match((await runCommandLine(['user', 'list'], { cwd: folder, environment: later })).out, /^alice {2}admin {2}yes/m)
    assert.match((await runCommandLine(['logout', url], { cwd: folder, environment: later })).out, /^logged out/)
    assert.deepEqual(JSON.parse(readFileSync(join(folder, '.config/holdfast/logins.json'), 'utf8')), {})
    assert.equal((await runCommandLine(['logout', url], { cwd: folder, environment: later })).code, 1)
  })

  test('events are followed until Ctrl-C', async () => {
    await start()
    const stop = new AbortController()
    const lines: string[] = []
    const out = { write: (text: string) => (lines.push(text), true) } as NodeJS.WritableStream
    const following = holdfast('events --overview', { signal: stop.signal, out })
    while (lines.length === 0) await new Promise(setImmediate)
    stop.abort()
    assert.equal((await following).code, 0)
    assert.match(lines.join(''), /^overview {2}2 connections/)
  })
})

test('every command has a description, and every one that runs has examples in its help', async () => {
  const program = createProgram({ columns: () => 80 } as CommandContext, '1')
  const walk = (command: Command, path: readonly string[]): (readonly string[])[] =>
    command.commands.flatMap(one => (one.name().startsWith('__') ? [] : [[...path, one.name()], ...walk(one, [...path, one.name()])]))
  const found = walk(program, [])
  assert.ok(found.length > 40)
  for (const path of found) {
    let command: Command | undefined = program
    for (const name of path) command = command?.commands.find(one => one.name() === name)
    assert.notEqual(command?.description(), '', path.join(' '))
    if (command?.description() === '(not available yet)' || (command?.commands.length ?? 0) > 0) continue
    assert.match((await runCommandLine([...path, '--help'], { cwd: folder })).out, /Examples:\n {2}\$ /, path.join(' '))
  }
})
