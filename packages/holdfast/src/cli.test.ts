import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { CommandContext } from './commands/context.ts'
import { runCommandLine } from './test-support/command-line.ts'
import { memoryServer, type Tree } from './test-support/memory-remote.ts'
import { generatePassword } from './commands/user-commands.ts'
import { welcomeText } from './commands/welcome.ts'
import type { RemoteCredentials } from './remote/remote.ts'

let folder = ''
let tree: Tree
let connections: RemoteCredentials[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'))
  connections = []
  tree = new Map<string, Buffer | null>([
    ['a.txt', Buffer.from('first file\n')],
    ['sub', null],
    ['sub/b.txt', Buffer.from('second')],
    ['sub/deep', null],
    ['sub/deep/c.bin', Buffer.alloc(100_000, 7)],
  ])
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const holdfast = (words: readonly string[], changed: Partial<CommandContext> = {}) =>
  runCommandLine(words, { cwd: folder, environment: { HOLDFAST_PASSWORD: 'secret' }, connect: memoryServer(tree, connections), ...changed })

const url = 'smb://alice@server:4450/docs'

describe('exit codes: 0 done, 1 failed, 2 wrong usage or configuration', () => {
  for (const [words, code, message] of [
    [['--version'], 0, ''],
    [['--help'], 0, ''],
    [['serve', '--help'], 0, ''],
    [[], 2, 'Usage: holdfast'],
    [['fly'], 2, "unknown command 'fly'"],
    [['serve', '--wings'], 2, "unknown option '--wings'"],
    [['serve'], 2, 'there is nothing to serve; give --share NAME=DIR or --volume NAME=SIZE'],
    [['serve', '--smb', 'x:y'], 2, 'holdfast: --smb: "x:y" is not allowed; allowed: ADDR:PORT'],
    [['serve', '--rdma', ':5445'], 2, 'not available yet'],
    [['share', 'create', 'docs'], 2, "missing required argument 'dir'"],
    [['volume', 'create', 'Disk0', '--size', '1GiB'], 2, 'NAME: "Disk0" is not allowed; allowed: a name of up to 63 lower-case letters'],
    [['volume', 'create', 'disk0', '--size', '1KiB'], 2, '--size: "1KiB" is not allowed; allowed: a size from 1MiB to 1PiB'],
    [['volume', 'create', 'disk0', '--from', 'disk1'], 2, '--from: "disk1" is not allowed; allowed: VOLUME@SNAPSHOT'],
    [['volume', 'resize', 'disk0'], 2, "required option '--size <size>' not specified"],
    [['director', '--vip', 'x'], 2, '--vip: "x" is not allowed; allowed: ADDR:PORT'],
    [['director', '--status', '--dev', 'nowhere0', '--run', '.'], 1, 'no director runs for nowhere0'],
    [['server-agent'], 2, '--dev is missing; allowed: the name of a network interface'],
    [['server-agent', '--status', '--detach'], 2, "option '--status' cannot be used with option '--detach'"],
    [['ls'], 2, "missing required argument 'url'"],
    [['ls', 'http://x/'], 2, 'allowed: smb://user@host[:port]/share/path'],
    [['ls', 'smb://server/docs'], 2, 'the URL names no user'],
    [['ls', 'smb://alice:hunter2@server/docs'], 2, 'must not have a password in it'],
    [['ls', `${url}/nope`], 1, 'there is no such file or folder'],
    [['ls', 'smb://alice@server/nope'], 1, 'there is no share nope'],
    [['cp', 'a', 'b'], 2, 'neither source nor target is a URL'],
    [['user', 'remove', 'nobody'], 1, 'there is no user "nobody"'],
    [['user', 'add', 'a:b'], 2, "a user's name has to be"],
  ] as const) {
    test(`holdfast ${words.join(' ')}: ${code}`, async () => {
      const result = await holdfast(words)
      assert.equal(result.code, code, result.err)
      assert.ok(result.err.includes(message), result.err)
      assert.equal(result.err.includes('hunter2'), false)
    })
  }

  test('every command has examples in its help', async () => {
    for (const words of [
      ['start'],
      ['serve'],
      ['ls'],
      ['cp'],
      ['cat'],
      ['rm'],
      ['mkdir'],
      ['director'],
      ['server-agent'],
      ['user', 'add'],
      ['user', 'list'],
      ['user', 'remove'],
      ['volume', 'create'],
      ['volume', 'list'],
      ['volume', 'show'],
      ['volume', 'resize'],
      ['volume', 'delete'],
      ['volume', 'snapshot', 'create'],
      ['volume', 'snapshot', 'list'],
      ['volume', 'snapshot', 'delete'],
      ['config', 'schema'],
    ]) {
      assert.match((await holdfast([...words, '--help'])).out, /Examples:\n {2}\$ /, words.join(' '))
    }
  })

  test('config schema prints the published schema', async () => {
    const { out } = await holdfast(['config', 'schema'])
    assert.equal(out, readFileSync(new URL('../holdfast.schema.json', import.meta.url), 'utf8'))
  })
})

describe('users', () => {
  test('added with the password from the environment, a file, a prompt, or generated; listed; removed', async () => {
    assert.deepEqual(await holdfast(['user', 'add', 'alice']), { code: 0, out: 'user alice added\n', err: '' })
    writeFileSync(join(folder, 'pw'), 'other\n')
    assert.equal((await holdfast(['user', 'add', 'alice', '--password-file', join(folder, 'pw')])).out, 'user alice has a new password\n')
    const questions: string[] = []
    const prompt = (question: string) => Promise.resolve((questions.push(question), 'other'))
    assert.equal((await holdfast(['user', 'add', 'ALICE'], { environment: {}, prompt })).out, 'user ALICE has that password already\n')
    assert.deepEqual(questions, ['New password of ALICE: ', 'Once more: '])
    const generated = JSON.parse((await holdfast(['user', 'add', 'bob', '--generate', '--json'])).out) as { password: string }
    assert.match(generated.password, /^[\w-]{19}$/)
    assert.equal((await holdfast(['user', 'list'])).out, 'alice\nbob\n')
    assert.equal((await holdfast(['user', 'remove', 'bob'])).code, 0)
    assert.match(
      (await holdfast(['user', 'list', '--json'])).out,
      /^\{"name":"alice","sid":"S-1-5-21-[\d-]+-1000","role":"user","disabled":false,"iscsi":"password-too-short"\}\n$/,
    )
    assert.equal((await holdfast(['user', 'add', 'carol'], { environment: {} })).code, 2)
  })

  test('a generated password has no characters that look alike', () => {
    for (let i = 0; i < 100; i++) assert.match(generatePassword(), /^([a-km-np-zA-HJ-NP-Z2-9]{4}-){3}[a-km-np-zA-HJ-NP-Z2-9]{4}$/)
  })
})

describe('files on a server', () => {
  test('ls: names, sizes, JSON, folders below, shares', async () => {
    assert.equal((await holdfast(['ls', url])).out, 'a.txt\nsub/\n')
    assert.equal((await holdfast(['ls', '-r', url])).out, 'a.txt\nsub/\nsub/b.txt\nsub/deep/\nsub/deep/c.bin\n')
    assert.equal((await holdfast(['ls', '-l', `${url}/sub/deep`])).out, '  97.7 KiB  2026-11-21 03:00  c.bin\n')
    assert.equal(
      (await holdfast(['ls', '--json', `${url}/a.txt`])).out,
      '{"path":"a.txt","kind":"file","sizeBytes":11,"writtenAt":"2026-11-21T03:00:00.000Z"}\n',
    )
    assert.equal((await holdfast(['ls', 'smb://alice@server:4450'])).out, 'docs\nIPC$\n')
    assert.deepEqual(connections.at(-1), { host: 'server', port: 4450, user: 'alice', domain: '', password: 'secret' })
  })

  test('names from a server cannot command the terminal', async () => {
    tree.set('\u001b[2Jx', Buffer.alloc(0))
    assert.equal((await holdfast(['ls', url])).out.includes('\u001b'), false)
  })

  test('cat prints the content as it is', async () => {
    assert.equal((await holdfast(['cat', `${url}/a.txt`, `${url}/sub/b.txt`])).out, 'first file\nsecond')
    assert.equal(connections.length, 1)
    assert.equal((await holdfast(['cat', `${url}/sub`])).code, 1)
  })

  test('a wrong password is told in one line', async () => {
    const result = await holdfast(['ls', url], { environment: { HOLDFAST_PASSWORD: 'guess' } })
    assert.deepEqual([result.code, result.err], [1, 'holdfast: wrong user or password\n'])
  })

  test('cp brings a file here, under its name or another', async () => {
    assert.equal((await holdfast(['cp', `${url}/a.txt`, '.'])).code, 0)
    assert.equal((await holdfast(['cp', `${url}/a.txt`, 'other.txt'])).code, 0)
    assert.equal(readFileSync(join(folder, 'a.txt'), 'utf8'), 'first file\n')
    assert.deepEqual(readdirSync(folder), ['a.txt', 'other.txt'])
  })

  test('cp -r brings and takes whole folders, --json tells of each file', async () => {
    assert.equal((await holdfast(['cp', `${url}/sub`, '.'])).code, 1)
    const result = await holdfast(['cp', '-r', '--json', `${url}/sub`, '.'])
    assert.equal(result.code, 0, result.err)
    assert.deepEqual(
      result.out
        .trim()
        .split('\n')
        .map(line => (JSON.parse(line) as { bytes: number }).bytes),
      [6, 100_000],
    )
    assert.deepEqual(readFileSync(join(folder, 'sub/deep/c.bin')), tree.get('sub/deep/c.bin'))
    const back = await holdfast(['cp', '-r', 'sub', `${url}/copy`])
    assert.equal(back.code, 0, back.err)
    assert.deepEqual(tree.get('copy/deep/c.bin'), tree.get('sub/deep/c.bin'))
    assert.equal((await holdfast(['cp', '-r', url, 'whole'])).code, 0)
    assert.deepEqual(readdirSync(join(folder, 'whole')), ['a.txt', 'copy', 'sub'])
  })

  test('cp of several files needs a folder; from server to server it streams', async () => {
    writeFileSync(join(folder, 'x'), 'x')
    writeFileSync(join(folder, 'y'), 'y')
    assert.match((await holdfast(['cp', 'x', 'y', `${url}/nowhere`])).err, /is no folder/)
    assert.equal((await holdfast(['cp', 'x', 'y', `${url}/sub/`])).code, 0)
    assert.equal(tree.get('sub/y')?.toString(), 'y')
    assert.equal((await holdfast(['cp', `${url}/sub/y`, 'smb://bob@other/docs/z'])).code, 0)
    assert.equal(tree.get('z')?.toString(), 'y')
  })

  test('a server cannot choose where here a file goes', async () => {
    tree.set('evil', null)
    tree.set('evil/..', Buffer.from('x'))
    const result = await holdfast(['cp', '-r', `${url}/evil`, '.'])
    assert.equal(result.code, 1)
    assert.match(result.err, /cannot be one here/)
  })

  test('a copy that fails leaves what was there', async () => {
    writeFileSync(join(folder, 'a.txt'), 'mine')
    const controller = new AbortController()
    controller.abort()
    assert.equal((await holdfast(['cp', `${url}/a.txt`, '.'], { signal: controller.signal })).code, 1)
    assert.equal(readFileSync(join(folder, 'a.txt'), 'utf8'), 'mine')
    assert.deepEqual(readdirSync(folder), ['a.txt'])
  })

  test('rm: files, folders with -r, what is not there with -f; never a share', async () => {
    assert.equal((await holdfast(['rm', `${url}/a.txt`])).code, 0)
    assert.equal((await holdfast(['rm', `${url}/a.txt`])).code, 1)
    assert.equal((await holdfast(['rm', '-f', `${url}/a.txt`])).code, 0)
    assert.equal((await holdfast(['rm', `${url}/sub`])).code, 1)
    assert.equal((await holdfast(['rm', '-r', url])).code, 1)
    assert.equal((await holdfast(['rm', '-r', `${url}/sub`])).code, 0)
    assert.equal(tree.size, 0)
  })

  test('mkdir, with -p those above', async () => {
    assert.equal((await holdfast(['mkdir', `${url}/sub`])).code, 1)
    assert.equal((await holdfast(['mkdir', `${url}/x/y`])).code, 1)
    assert.equal((await holdfast(['mkdir', '-p', `${url}/x/y/z`, `${url}/sub`])).code, 0)
    assert.equal(tree.get('x/y/z'), null)
    assert.equal((await holdfast(['mkdir', '-p', `${url}/a.txt`])).code, 1)
  })

  test('a terminal gets a bar, which is gone at the end', async () => {
    mkdirSync(join(folder, 'in'))
    const result = await holdfast(['cp', `${url}/a.txt`, 'in'], { terminal: true })
    assert.ok(result.err.endsWith('\r\u001b[K'))
  })
})

test('the welcome tells how to mount from every system', () => {
  const shares = [{ name: 'data', path: '/srv/data' }]
  const text = welcomeText({
    shares,
    addresses: [{ host: '127.0.0.1', port: 4450 }],
    networkAddresses: [],
    user: 'holdfast',
    password: 'abcd',
    resetCommand: 'reset',
  })
  for (const line of [
    'sudo mount -t cifs //127.0.0.1/data /mnt -o port=4450,username=holdfast,vers=3.1.1,uid=$(id -u)',
    'open smb://holdfast@127.0.0.1:4450/data',
    'net use Z: \\\\127.0.0.1\\data /user:holdfast * /tcpport:4450',
    'smbclient //127.0.0.1/data -p 4450 -U holdfast',
    'holdfast ls smb://holdfast@127.0.0.1:4450/data',
    'password  abcd',
  ]) {
    assert.ok(text.includes(line), `${line}\n${text}`)
  }
  const everywhere = welcomeText({
    shares,
    addresses: [{ host: '::', port: 445 }],
    networkAddresses: ['192.0.2.7'],
    user: 'me',
    resetCommand: 'reset',
  })
  assert.match(everywhere, /net use Z: \\\\192\.0\.2\.7\\data \/user:me \*\n/)
  assert.match(everywhere, /sudo mount -t cifs \/\/192\.0\.2\.7\/data \/mnt -o username=me/)
  assert.equal(everywhere.includes('Only this machine'), false)
})
