/** The program as a process: ready line, signals, exit codes. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { directory } from '@holdfast/storage'
import { serve } from './index.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-serve-'))
  mkdirSync(join(folder, 'docs'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Running {
  readonly pid: number
  readonly ready: string
  err(): string
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; out: string; err: string }>
}

/** Starts the program; `ready` is '' where it ended before. */
async function launch(words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Running> {
  const child = spawn(process.execPath, [main, ...words], { cwd: folder, env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  const exited = once(child, 'close') as Promise<[number | null]>
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const ready = new Promise<string>(resolve => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
      if (out.includes('\n')) resolve(out)
    })
    void exited.then(() => resolve(''))
  })
  return {
    pid: child.pid ?? 0,
    ready: await ready,
    err: () => err,
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      const [code] = await exited
      return { code, out, err }
    },
  }
}

const wordsOf = (words: readonly string[] = []): string[] => [
  'serve',
  '--state',
  'state',
  '--share',
  'docs=docs',
  '--user',
  'alice:secret',
  '--smb',
  '127.0.0.1:0',
  '--http',
  '127.0.0.1:0',
  '--workers',
  '1',
  ...words,
]
const portOf = (ready: string, word: string): number => Number(new RegExp(`${word}=[^ ]*:(\\d+)`).exec(ready)?.[1])

describe('holdfast serve', () => {
  test('prints one ready line when every listener is up, answers /healthz, and ends with 0 at SIGTERM', async () => {
    const node = await launch(wordsOf(['--node', 'FILES', '--metrics', 'open']))
    try {
      assert.match(node.ready, new RegExp(`^ready pid=${node.pid} smb=127\\.0\\.0\\.1:\\d+ http=127\\.0\\.0\\.1:\\d+ node=FILES\\n$`), node.err())
      const response = await fetch(`http://127.0.0.1:${portOf(node.ready, 'http')}/healthz`)
      assert.deepEqual([response.status, await response.json()], [200, { status: 'ok' }])
      const metrics = await (await fetch(`http://127.0.0.1:${portOf(node.ready, 'http')}/metrics`)).text()
      assert.match(metrics, /^holdfast_workers 1$/m)
    } finally {
      const { code, out, err } = await node.stop()
      assert.equal(code, 0, err)
      assert.equal(out, node.ready)
      assert.equal(err.includes('secret'), false)
      for (const line of err.trim().split('\n')) assert.equal(typeof JSON.parse(line), 'object')
    }
    const files = readdirSync(join(folder, 'state'), { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
    assert.ok(files.length > 0)
    for (const { name, parentPath } of files) assert.equal(readFileSync(join(parentPath, name)).includes('secret'), false, name)
    assert.equal(existsSync(join(folder, 'state', 'lock')), false)
  })

  test('two nodes do not share a state folder; kill -9 does not keep the next one out', async () => {
    const first = await launch(wordsOf())
    const second = await launch(wordsOf())
    assert.equal(second.ready, '')
    const { code, err } = await second.stop()
    assert.deepEqual([code, err.includes(`is in use by process ${first.pid}`)], [1, true], err)
    await first.stop('SIGKILL')
    const third = await launch(wordsOf())
    assert.match(third.ready, /^ready /, third.err())
    assert.equal((await third.stop('SIGINT')).code, 0)
  })

  test('a port that is taken is one line and exit 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const node = await launch([
      'serve',
      '--state',
      'state',
      '--share',
      'docs=docs',
      '--smb',
      `127.0.0.1:${port}`,
      '--workers',
      '1',
      '--log-level',
      'error',
    ])
    const { code, err } = await node.stop()
    taken.close()
    assert.deepEqual([code, err], [1, `holdfast: smb 127.0.0.1:${port} is in use by another program\n`])
  })

  test('a worker that is ended on purpose is replaced (HOLDFAST_CHAOS=1, SIGUSR2)', async () => {
    const node = await launch(wordsOf(['--metrics', 'open']), { HOLDFAST_CHAOS: '1' })
    const url = `http://127.0.0.1:${portOf(node.ready, 'http')}/metrics`
    process.kill(node.pid, 'SIGUSR2')
    let text = ''
    for (let tries = 0; tries < 100 && !text.includes('holdfast_worker_deaths_total 1'); tries++) {
      text = await (await fetch(url, { signal: AbortSignal.timeout(5000) })).text()
    }
    assert.match(text, /^holdfast_worker_deaths_total 1$/m)
    assert.equal((await node.stop()).code, 0)
  })
})

describe('holdfast start', () => {
  test('makes ./data, a user and a password; tells how to mount; the password once', async () => {
    const first = await launch(['start', '--smb', '127.0.0.1:0', '--http', '127.0.0.1:0', '--workers', '1'])
    const one = await first.stop()
    assert.equal(one.code, 0, one.err)
    assert.ok(existsSync(join(folder, 'data')))
    const password = /password {2}(\w{4}-\w{4}-\w{4}-\w{4})/.exec(one.err)?.[1]
    assert.ok(password)
    assert.match(one.err, /sudo mount -t cifs \/\/127\.0\.0\.1\/data/)
    assert.match(one.out, /^ready [^\n]*\n$/)
    const second = await launch(['start', '--smb', '127.0.0.1:0', '--http', '127.0.0.1:0', '--workers', '1'])
    const two = await second.stop()
    assert.equal(two.err.includes(password), false)
    assert.match(two.err, /forgotten\? npm run holdfast -- user add holdfast/)
  })

  test('with --share and --user nothing is invented', async () => {
    const node = await launch([
      'start',
      '--share',
      'papers=docs',
      '--user',
      'bob:hidden',
      '--smb',
      '127.0.0.1:0',
      '--http',
      '127.0.0.1:0',
      '--workers',
      '1',
    ])
    const { err } = await node.stop()
    assert.equal(existsSync(join(folder, 'data')), false)
    assert.match(err, /user {6}bob/)
    assert.equal(err.includes('hidden'), false)
  })
})

describe('serve() from another program', () => {
  test('serves until it is closed, and leaves no state behind', async () => {
    const before = readdirSync(tmpdir()).filter(name => /^holdfast-[^-]{6}$/.test(name))
    {
      await using server = await serve({
        shares: { docs: join(folder, 'docs') },
        users: { alice: 'secret' },
        smb: '127.0.0.1:0',
        http: '127.0.0.1:0',
        workers: 1,
      })
      assert.match(server.smb[0], /^127\.0\.0\.1:\d+$/)
      assert.equal((await fetch(`http://${server.http[0]}/readyz`)).status, 200)
    }
    const after = readdirSync(tmpdir()).filter(name => /^holdfast-[^-]{6}$/.test(name) && !before.includes(name))
    assert.deepEqual(after, [])
  })

  test('a filesystem object of this thread is served from this thread; a module by every worker', async () => {
    const users = { alice: 'secret' }
    await using server = await serve({
      shares: { docs: directory(join(folder, 'docs')) },
      users,
      smb: '127.0.0.1:0',
      http: '127.0.0.1:0',
      metrics: 'open',
    })
    const metrics = await (await fetch(`http://${server.http[0]}/metrics`)).text()
    assert.match(metrics, /^holdfast_workers 1$/m)

    const module = join(folder, 'mine.ts')
    writeFileSync(module, `export const fileSystem = options => { throw new Error('asked for ' + options.name) }`)
    await assert.rejects(serve({ shares: { mine: { module, options: { name: 'zip' } } }, users, smb: '127.0.0.1:0', workers: 1 }), {
      message: /asked for zip/,
    })
    writeFileSync(module, 'export const other = 1')
    await assert.rejects(serve({ shares: { mine: { module } }, users, smb: '127.0.0.1:0', workers: 1 }), {
      message: /does not export a function fileSystem/,
    })
  })

  test('options that are not allowed are told', async () => {
    const users = { alice: 'secret' }
    await assert.rejects(serve({ shares: { 'a/b': folder }, users }), { name: 'ConfigError', message: /^shares: "a\/b" is not allowed/ })
    await assert.rejects(serve({ shares: { a: folder }, users, smb: 'x:y' }), { message: /^smb: "x:y" is not allowed/ })
    await assert.rejects(serve({ shares: { a: folder }, users, workers: 0 }), { message: /^workers: / })
    await assert.rejects(serve({ shares: { a: folder }, users, limits: { connections: 0 } }), {
      message: /^limits\.connections: "0" is not allowed; allowed: a whole number/,
    })
    await assert.rejects(serve({ shares: { a: { fileSystem: { features: {}, open() {} } as never } }, users, inThread: false }), {
      message: /inThread/,
    })
    await assert.rejects(serve({ shares: {}, users: { 'a:b': 'x' } }), { name: 'StateError', code: 'BAD_USER' })
  })
})
