import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { lose } from './loss.ts'
import { skip } from './prerequisites.ts'
import { get, post } from './requests.ts'
import { startScene } from './scene.ts'
import type { Scene } from './scene.ts'
import type { Heard } from './conversation.ts'
import { fileBytes } from './web-servers.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const big = '/a/big.bin'

describe('two unmodified servers behind a director', { skip }, () => {
  let scene: Scene
  before(async () => {
    scene = await startScene()
  })
  after(async () => scene?.[Symbol.asyncDispose]())

  test('100 MiB on one connection: the same bytes, and less than 0.2 % of them at the director', async t => {
    const { most, text } = await scene.throughDirector(fileBytes['big.bin'], async () =>
      assert.equal(await scene.sha256(big), scene.content.sha256[big]),
    )
    t.diagnostic(text)
    assert.ok(most < 0.002 * fileBytes['big.bin'], text)
  })

  test('100 MiB on eight connections, a part each', async t => {
    const part = fileBytes['big.bin'] / 8
    const file = (i: number): string => scene.ground.folder.at(`part-${i}`)
    const { most, text } = await scene.throughDirector(fileBytes['big.bin'], async () => {
      await Promise.all(Array.from({ length: 8 }, (_, i) => scene.curl('-o', file(i), '-r', `${i * part}-${(i + 1) * part - 1}`, scene.url(big))))
    })
    const hash = createHash('sha256')
    for (let i = 0; i < 8; i++) hash.update(readFileSync(file(i)))
    assert.equal(hash.digest('hex'), scene.content.sha256[big])
    t.diagnostic(text)
    assert.ok(most < 0.002 * fileBytes['big.bin'], text)
  })

  describe('uploads', () => {
    const content = randomBytes(30_000_000)
    let file = ''
    before(() => {
      file = scene.ground.folder.at('upload')
      writeFileSync(file, content)
    })

    test('30 MB with a length', async () => {
      const before = await scene.status('director')
      assert.equal(await scene.curl('-T', file, scene.url('/upload')), `${sha256(content)} ${content.length}\n`)
      const { metrics } = await scene.status('director')
      assert.equal(metrics['proxied'], before.metrics['proxied'], 'it was handed over, not proxied')
    })

    test('30 MB in chunks', async () => {
      assert.equal(await scene.curl('-T', file, '-H', 'Transfer-Encoding: chunked', scene.url('/upload')), `${sha256(content)} ${content.length}\n`)
    })

    test('30 MB with Expect: 100-continue (RFC 9110 10.1.1)', async () => {
      assert.equal(await scene.curl('-T', file, '-H', 'Expect: 100-continue', scene.url('/upload')), `${sha256(content)} ${content.length}\n`)
    })

    test('later on a connection: with a length, then another request', async () => {
      const zeros = 3_000_000
      const { heard, ended } = await scene.converse({
        steps: [
          { send: get('/b/small.txt'), responses: 1 },
          { send: post('/upload', zeros), zeros, responses: 2 },
          { send: get('/b/small.txt'), responses: 3 },
        ],
      })
      assert.deepEqual(
        heard.map(({ headers }) => headers['x-server']),
        ['b', 'a', 'b'],
        ended,
      )
      assert.equal(heard[1]?.begin, `${sha256(Buffer.alloc(zeros))} ${zeros}\n`)
      assert.equal(heard[2]?.sha256, scene.content.sha256['/b/small.txt'])
    })

    test('later on a connection: in chunks', async () => {
      const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`
      const { heard, ended } = await scene.converse({
        steps: [
          { send: get('/b/small.txt'), responses: 1 },
          { send: post('/upload', 'chunked'), waitMs: 50 },
          ...Array.from({ length: 50 }, () => ({ send: chunk })),
          { send: '0\r\n\r\n', responses: 2 },
        ],
      })
      assert.equal(heard[1]?.begin, `${sha256(Buffer.alloc(50 * 0x1000, 'x'))} ${50 * 0x1000}\n`, ended)
    })
  })

  test('a connection whose requests belong to one owner and the other in turns', async () => {
    const before = await scene.status('director')
    const paths = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? '/a/middle.bin' : '/b/middle.bin'))
    const { heard, ended } = await scene.converse({ steps: paths.map((path, i) => ({ send: get(path), responses: i + 1 })), timeoutMs: 30_000 })
    assert.deepEqual(
      heard.map(({ headers, sha256: hash }) => [headers['x-server'], hash]),
      paths.map(path => [path[1], scene.content.sha256[path]]),
      ended,
    )
    const { metrics } = await scene.status('director')
    assert.equal((metrics['moves'] ?? 0) - (before.metrics['moves'] ?? 0), paths.length - 1)
    assert.equal(metrics['proxied'], before.metrics['proxied'])
  })

  test('the same owner again and again: handed over once', async () => {
    const before = await scene.status('director')
    const requests = 50
    const { heard, ended } = await scene.converse({
      steps: Array.from({ length: requests }, (_, i) => ({ send: get('/a/small.txt'), responses: i + 1 })),
    })
    assert.equal(heard.filter(({ sha256: hash }) => hash === scene.content.sha256['/a/small.txt']).length, requests, ended)
    const { metrics } = await scene.status('director')
    assert.equal((metrics['handoffs'] ?? 0) - (before.metrics['handoffs'] ?? 0), 1)
    assert.equal((metrics['continued'] ?? 0) - (before.metrics['continued'] ?? 0), requests - 1)
  })

  test('requests in several packets, also with a head that is longer than one', async () => {
    const long = get('/b/small.txt', `X-Long: ${'y'.repeat(3000)}`)
    const first = get('/a/small.txt')
    const { heard, ended } = await scene.converse({
      steps: [
        { send: first.slice(0, 20), waitMs: 50 },
        { send: first.slice(20), responses: 1 },
        { send: long.slice(0, 2000), waitMs: 50 },
        { send: long.slice(2000), responses: 2 },
        { send: get('/a/small.txt').slice(0, 9), waitMs: 50 },
        { send: get('/a/small.txt').slice(9), responses: 3 },
      ],
    })
    assert.deepEqual(
      heard.map(({ status, headers }) => [status, headers['x-server']]),
      [
        [200, 'a'],
        [200, 'b'],
        [200, 'a'],
      ],
      ended,
    )
  })

  describe('pipelined requests (RFC 9112 9.3.2)', () => {
    test('of one owner are answered in order', async () => {
      const { heard, ended } = await scene.converse({
        steps: [{ send: get('/a/small.txt') + get('/a/middle.bin') + get('/a/small.txt'), responses: 3 }],
      })
      assert.deepEqual(
        heard.map(({ sha256: hash }) => hash),
        ['/a/small.txt', '/a/middle.bin', '/a/small.txt'].map(path => scene.content.sha256[path]),
        ended,
      )
    })

    for (const [name, steps] of [
      ['in one packet', [{ send: get('/a/middle.bin') + get('/b/small.txt'), responses: 2 }]],
      [
        'while the response before is under way',
        [
          { send: get('/a/middle.bin'), waitMs: 1 },
          { send: get('/b/small.txt'), responses: 2 },
        ],
      ],
    ] as const) {
      test(`of two owners, ${name}: each answer is the owner's; what is not answered when the connection ends, the client repeats`, async () => {
        const { heard, ended } = await scene.converse({ steps: [...steps, { end: 'fin' }], untilEnd: true })
        assert.equal(heard[0]?.sha256, scene.content.sha256['/a/middle.bin'])
        assert.ok(
          heard.length === 1 || heard[1]?.sha256 === scene.content.sha256['/b/small.txt'],
          `${heard[1]?.status} by ${heard[1]?.headers['x-server']}`,
        )
        assert.equal(ended, 'fin')
      })
    }
  })

  describe('requests of two owners at once, while the first server pauses, and the client has acknowledged all that came:', () => {
    const nothing = `${sha256(Buffer.alloc(0))} 0\n`
    for (const [name, first, isRight] of [
      ['in the middle of a content', get('/paused/a/middle.bin'), (one: Heard) => one.sha256 === scene.content.sha256['/a/middle.bin']],
      ['between two chunks', get('/upload/chunks'), (one: Heard) => one.begin === nothing],
      ['before it answers', get('/upload/later'), (one: Heard) => one.begin === nothing],
    ] as const) {
      test(`${name}: each answer is right`, async () => {
        const { heard, ended } = await scene.converse({
          steps: [
            { send: first, waitMs: 200 },
            { send: get('/b/small.txt'), responses: 2 },
          ],
          timeoutMs: 20_000,
        })
        assert.equal(heard.length, 2, ended)
        assert.ok(heard[0] !== undefined && isRight(heard[0]), JSON.stringify(heard[0]))
        assert.equal(heard[1]?.sha256, scene.content.sha256['/b/small.txt'])
      })
    }

    for (const [name, steps] of [
      ['in one packet', [{ send: get('/a/small.txt') + get('/upload/later'), waitMs: 200 }]],
      ['in two', [{ send: get('/a/small.txt') }, { send: get('/upload/later'), waitMs: 200 }]],
      [
        'after another',
        [
          { send: get('/b/small.txt'), responses: 1 },
          { send: get('/a/small.txt') + get('/upload/later'), waitMs: 200 },
        ],
      ],
    ] as const) {
      test(`with one response whole, and none yet to the second request (${name})`, async () => {
        const before = steps.length === 2 && 'responses' in steps[0] ? 1 : 0
        const { heard, ended } = await scene.converse({ steps: [...steps, { send: get('/b/small.txt'), responses: before + 3 }], timeoutMs: 20_000 })
        const ours = heard.slice(before)
        assert.deepEqual(
          ours.map(({ sha256: hash, begin }) => (begin === nothing ? nothing : hash)),
          [scene.content.sha256['/a/small.txt'], nothing, scene.content.sha256['/b/small.txt']],
          ended,
        )
      })
    }

    test('HEAD, whose answer has no content, holds nothing up', async () => {
      const { metrics } = await scene.status('director')
      const begin = performance.now()
      const printed = await scene.curl('-I', scene.url('/a/middle.bin'), scene.url('/b/small.txt'), scene.url('/a/small.txt'))
      assert.deepEqual(printed.match(/(?<=X-Server: )./g), ['a', 'b', 'a'])
      assert.ok(performance.now() - begin < 5000)
      assert.equal(((await scene.status('director')).metrics['moves'] ?? 0) - (metrics['moves'] ?? 0), 2)
    })
  })

  test('an Upgrade that the server ignores (RFC 9110 7.8): the next request goes to its owner', async () => {
    const { heard, ended } = await scene.converse({
      steps: [
        { send: get('/a/small.txt', 'Connection: Upgrade', 'Upgrade: websocket'), responses: 1 },
        { send: get('/b/small.txt'), responses: 2 },
      ],
    })
    assert.deepEqual(
      heard.map(({ headers }) => headers['x-server']),
      ['a', 'b'],
      ended,
    )
  })

  test('Connection: close: the server ends the connection', async () => {
    const { heard, ended } = await scene.converse({ steps: [{ send: get('/b/small.txt', 'Connection: close') }], untilEnd: true })
    assert.deepEqual([heard[0]?.sha256, ended], [scene.content.sha256['/b/small.txt'], 'fin'])
  })

  test('what is no request is answered by a server, or the director: 400', async () => {
    const { heard } = await scene.converse({ steps: [{ send: 'no request\r\n\r\n', responses: 1 }] })
    assert.equal(heard[0]?.status, 400)
  })

  describe('clients whose TCP has less', () => {
    for (const option of ['timestamps', 'sack', 'window_scaling']) {
      test(`without ${option}`, async () => {
        const { client } = scene.topology
        await client.set({ [`net.ipv4.tcp_${option}`]: 0 })
        try {
          assert.equal(await scene.sha256(big), scene.content.sha256[big])
          const { heard, ended } = await scene.converse({
            steps: ['/a/small.txt', '/b/small.txt', '/b/small.txt'].map((path, i) => ({ send: get(path), responses: i + 1 })),
          })
          assert.deepEqual(
            heard.map(({ headers }) => headers['x-server']),
            ['a', 'b', 'b'],
            ended,
          )
        } finally {
          await client.set({ [`net.ipv4.tcp_${option}`]: 1 })
        }
      })
    }
  })

  test('servers with another window scale than the director', async () => {
    const { a } = scene.topology
    const sizes = (await a.must(['sysctl', '-n', 'net.ipv4.tcp_rmem'])).trim()
    await a.set({ 'net.ipv4.tcp_rmem': '4096 131072 262144' })
    try {
      assert.equal(await scene.sha256(big), scene.content.sha256[big])
    } finally {
      await a.set({ 'net.ipv4.tcp_rmem': sizes })
    }
  })

  test('with 1 % of packets lost each way', async t => {
    const { middle, client, a } = scene.topology
    const [before, beforeA] = [await client.tcpCounters(), await a.tcpCounters()]
    const raised = async (): Promise<number> => (await scene.status('director')).metrics['raisedPackets'] ?? 0
    const raisedBefore = await raised()
    await using loss = await lose(middle, 1)
    assert.equal(await scene.sha256(big), scene.content.sha256[big])
    const paths = Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? '/a/middle.bin' : '/b/middle.bin'))
    const { heard, ended } = await scene.converse({ steps: paths.map((path, i) => ({ send: get(path), responses: i + 1 })), timeoutMs: 60_000 })
    assert.deepEqual(
      heard.map(({ sha256: hash }) => hash),
      paths.map(path => scene.content.sha256[path]),
      ended,
    )
    const upload = Buffer.alloc(3_000_000, 'u')
    writeFileSync(scene.ground.folder.at('lossy'), upload)
    assert.equal(await scene.curl('-T', scene.ground.folder.at('lossy'), scene.url('/upload')), `${sha256(upload)} ${upload.length}\n`)
    const lost = await loss.lost()
    t.diagnostic(`${lost} packets lost`)
    assert.ok(lost > 0)
    const [after, afterA] = [await client.tcpCounters(), await a.tcpCounters()]
    for (const name of ['TcpInCsumErrors', 'TcpExtTCPSACKDiscard']) {
      assert.equal(after[name], before[name], `${name} at the client`)
      assert.equal(afterA[name], beforeA[name], `${name} at the server`)
    }
    assert.equal(after['TcpExtPAWSEstab'], before['TcpExtPAWSEstab'], 'no timestamp at the client is an old one')
    // What has come up to the director may be overtaken by what the client sends after it, also by the same bytes again. With wrong timestamps it would be each packet.
    const old = (afterA['TcpExtPAWSEstab'] ?? 0) - (beforeA['TcpExtPAWSEstab'] ?? 0)
    const ofDirector = (await raised()) - raisedBefore
    t.diagnostic(`${old} packets of ${ofDirector} that were raised came late`)
    assert.ok(old <= ofDirector && ofDirector < 100, `${old} old timestamps at the server, ${ofDirector} packets raised`)
    assert.ok((afterA['TcpRetransSegs'] ?? 0) > (beforeA['TcpRetransSegs'] ?? 0), 'the server has repeated something')
  })

  test('nothing is left of connections that have ended', async () => scene.empty())
})
