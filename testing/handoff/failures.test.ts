import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, test } from 'node:test'
import { skip } from './prerequisites.ts'
import { get } from './requests.ts'
import { startScene, until } from './scene.ts'
import type { Scene } from './scene.ts'

/** 100 MiB in 2.5 s: something can happen meanwhile. */
const slow = '/slow/a/big.bin'
const big = '/a/big.bin'

describe('what fails while clients are there', { skip }, () => {
  let scene: Scene
  before(async () => {
    scene = await startScene()
  })
  after(async () => scene?.[Symbol.asyncDispose]())

  /** Until a transfer is under way: its connection has been handed over, and the server has begun to answer. */
  async function underWay(): Promise<void> {
    await until('a connection has been handed over', async () => ((await scene.status('director')).metrics['entries'] ?? 0) > 0)
    await sleep(300)
  }

  /** Each owner answers, and nobody proxies. */
  async function works(): Promise<void> {
    await scene.healthy()
    const before = await scene.status('director')
    const { heard, ended } = await scene.converse({
      steps: ['/a/small.txt', '/b/small.txt'].map((path, i) => ({ send: get(path), responses: i + 1 })),
    })
    assert.deepEqual(
      heard.map(({ sha256 }) => sha256),
      ['/a/small.txt', '/b/small.txt'].map(path => scene.content.sha256[path]),
      ended,
    )
    const { metrics } = await scene.status('director')
    assert.equal(metrics['proxied'], before.metrics['proxied'])
  }

  for (const [who, parts] of [
    ['the director', ['director']],
    ["the server's agent", ['a']],
    ['both', ['director', 'a']],
  ] as const) {
    test(`kill -9 of ${who} in mid-transfer: it goes on; who starts again finds the connection and lets it go when it has ended`, async () => {
      const download = scene.sha256(slow)
      await underWay()
      for (const part of parts) await scene.part(part).kill()
      assert.equal(await download, scene.content.sha256[big])
      for (const part of parts) await scene.start(part)
      await works()
      await scene.empty()
    })

    test(`kill -9 of ${who}, started again in mid-transfer: the transfer goes on, and so do later requests of its connection`, async () => {
      const talk = scene.converse({
        steps: [
          { send: get(slow), responses: 1 },
          { send: get('/b/small.txt'), responses: 2 },
          { send: get('/a/small.txt'), responses: 3 },
        ],
        timeoutMs: 20_000,
      })
      await underWay()
      for (const part of parts) await scene.part(part).kill()
      for (const part of parts) await scene.start(part)
      const { heard, ended } = await talk
      assert.deepEqual(
        heard.map(({ sha256 }) => sha256),
        [big, '/b/small.txt', '/a/small.txt'].map(path => scene.content.sha256[path]),
        ended,
      )
      for (const part of parts) {
        const { metrics } = await scene.status(part === 'a' ? 'agent-a' : part)
        assert.ok((metrics['resumed'] ?? 0) > 0, `${part} has taken nothing up`)
      }
      await scene.empty()
    })
  }

  test('SIGTERM of director and agent in mid-transfer: both end by themselves with 0, the transfer goes on', async t => {
    const download = scene.sha256(slow)
    await underWay()
    for (const part of ['director', 'a'] as const) {
      const { status, ms } = await scene.part(part).stop()
      t.diagnostic(`${part} ended after ${ms.toFixed(0)} ms`)
      assert.equal(status, 0, scene.part(part).log)
    }
    assert.equal(await download, scene.content.sha256[big])
    for (const part of ['director', 'a'] as const) await scene.start(part)
    await works()
    await scene.empty()
  })

  test('the agent is down when a connection comes: proxied at once', async t => {
    await works()
    await scene.part('b').kill()
    try {
      for (const what of ['before the director has noticed', 'when the director knows']) {
        const printed = await scene.curl('-o', '/dev/null', '-w', '%{http_code} %{size_download} %{time_starttransfer}', scene.url('/b/small.txt'))
        const [status, bytes, seconds] = printed.split(' ').map(Number)
        t.diagnostic(`${what}: first byte after ${((seconds ?? 0) * 1000).toFixed(0)} ms`)
        assert.deepEqual([status, bytes], [200, 1024])
        assert.ok((seconds ?? 0) < 1, `first byte after ${seconds} s`)
        await until(
          'the director knows',
          async () => (await scene.status('director')).agents?.some(({ health }) => health === 'process-gone') === true,
        )
      }
      assert.equal(await scene.sha256('/b/middle.bin'), scene.content.sha256['/b/middle.bin'])
    } finally {
      await scene.start('b')
    }
    await works()
  })

  test('the agent stands still when a connection comes, and goes on later: the director answers, and the agent takes nothing any more', async () => {
    await works()
    const { pid } = scene.part('b')
    process.kill(pid, 'SIGSTOP')
    try {
      assert.equal(await scene.sha256('/b/middle.bin'), scene.content.sha256['/b/middle.bin'])
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await until('the agent has seen what waited', async () => ((await scene.status('agent-b')).metrics.refusals['late'] ?? 0) > 0)
    await scene.empty()
    await works()
  })

  test('the agent is down at a later request: the connection comes back to the director, which proxies', async () => {
    await works()
    await scene.part('b').kill()
    try {
      const before = await scene.status('director')
      const { heard, ended } = await scene.converse({
        steps: [
          { send: get('/a/small.txt'), responses: 1 },
          { send: get('/b/middle.bin'), responses: 2 },
        ],
      })
      assert.deepEqual(
        heard.map(({ sha256 }) => sha256),
        ['/a/small.txt', '/b/middle.bin'].map(path => scene.content.sha256[path]),
        ended,
      )
      const { metrics } = await scene.status('director')
      assert.equal((metrics['restored'] ?? 0) - (before.metrics['restored'] ?? 0), 1)
    } finally {
      await scene.start('b')
    }
    await works()
  })

  test('a server whose TCP lacks what the client was promised: the agent refuses, the director proxies', async () => {
    await works()
    const { b } = scene.topology
    await b.set({ 'net.ipv4.tcp_timestamps': 0 })
    try {
      const before = await scene.status('director')
      assert.equal(await scene.sha256('/b/middle.bin'), scene.content.sha256['/b/middle.bin'])
      const { metrics } = await scene.status('director')
      assert.equal((metrics.refusals['optionMissing'] ?? 0) - (before.metrics.refusals['optionMissing'] ?? 0), 1)
    } finally {
      await b.set({ 'net.ipv4.tcp_timestamps': 1 })
    }
    await works()
  })

  test('the server itself is down: 503 with Retry-After (RFC 9110 10.2.3)', async () => {
    await scene.servers.stop('b')
    try {
      for (const before of [[], [{ send: get('/a/small.txt'), responses: 1 }]]) {
        const { heard, ended } = await scene.converse({ steps: [...before, { send: get('/b/small.txt'), responses: before.length + 1 }] })
        const last = heard.at(-1)
        assert.deepEqual([last?.status, /^\d+$/.test(last?.headers['retry-after'] ?? '')], [503, true], ended)
      }
    } finally {
      await scene.servers.start('b')
    }
    await works()
  })

  test('the machine of the server is gone in mid-transfer: the client hears a reset', async t => {
    const { middle } = scene.topology
    const talk = scene.converse({
      steps: [{ send: get(slow), responses: 1 }],
      untilEnd: true,
      timeoutMs: 20_000,
    })
    await underWay()
    const begin = performance.now()
    await middle.ip('link', 'set', 'dev', 'a', 'down')
    try {
      const { heard, ended } = await talk
      const ms = performance.now() - begin
      t.diagnostic(`the reset came after ${ms.toFixed(0)} ms`)
      assert.deepEqual([heard.length, ended], [0, 'ECONNRESET'])
      assert.ok(ms < 5000, `after ${ms} ms`)
    } finally {
      await middle.ip('link', 'set', 'dev', 'a', 'up')
    }
    await works()
  })

  test('the machine of the server is gone: new requests get an answer', async t => {
    const { middle } = scene.topology
    await middle.ip('link', 'set', 'dev', 'b', 'down')
    try {
      const { heard, ended, endedMs } = await scene.converse({ steps: [{ send: get('/b/small.txt'), responses: 1 }], timeoutMs: 20_000 })
      assert.equal(heard[0]?.status, 503, ended)
      t.diagnostic(`503 after ${heard[0]?.doneMs.toFixed(0)} ms, ${ended} ${endedMs}`)
    } finally {
      await middle.ip('link', 'set', 'dev', 'b', 'up')
    }
    await works()
  })
})
