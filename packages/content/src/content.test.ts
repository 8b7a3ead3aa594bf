import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import { connect } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { directory, memory } from '@holdfast/storage'
import { asAlice, type ContentServer, startContent, testAccounts, testShare } from './test-support/content-server.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-content-'))
after(() => fs.rmSync(folder, { recursive: true }))
const root = path.join(folder, 'root')
const write = (name: string, content: string | Buffer): void => {
  fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
  fs.writeFileSync(path.join(root, name), content)
}

describe('content of a folder', { skip: process.platform === 'linux' ? false : 'folders are served on Linux' }, () => {
  let server: ContentServer
  const large = randomBytes(3 << 20)
  before(async () => {
    write('hello.txt', 'Hello, world!\n')
    write('empty', '')
    write('page.html', '<script>1</script>')
    write('image.SVG', '<svg/>')
    write('large.bin', large)
    write('sub/inner/deep.txt', 'deep')
    write('100% süß "é".txt', 'odd')
    fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/raw-`), Buffer.from([0xff])]), 'bytes that are no UTF-8')
    write('a:b?.txt', 'colon')
    fs.writeFileSync(path.join(folder, 'secret'), 'secret')
    fs.symlinkSync('../secret', path.join(root, 'leak'))
    fs.symlinkSync('..', path.join(root, 'up'))
    fs.symlinkSync('sub/inner', path.join(root, 'way'))
    for (let at = 0; at < 2500; at++) write(`many/${String(at).padStart(4, '0')}`, 'x')
    const files = directory(root)
    server = await startContent([
      testShare('docs', files),
      testShare('private', files, { isPublic: false }),
      testShare('closed', files, { isPublic: false, admits: () => false }),
      testShare('unreadable', files, { mayRead: () => false }),
      testShare('site', files, { hasActiveContent: true }),
      testShare('hidden$', files),
    ])
  })
  after(() => server[Symbol.asyncDispose]())

  test('a file comes with what is known of it (RFC 9110 8)', async () => {
    const { status, fields, body } = await server.get('/docs/hello.txt')
    assert.equal(status, 200)
    assert.equal(body.toString(), 'Hello, world!\n')
    assert.equal(fields.get('content-type'), 'text/plain; charset=utf-8')
    assert.equal(fields.get('last-modified'), fs.statSync(path.join(root, 'hello.txt')).mtime.toUTCString())
    assert.match(fields.get('etag') ?? '', /^"[0-9a-z]+-e-[0-9a-z]+"$/)
    assert.match(fields.get('date') ?? '', / GMT$/)
    assert.equal(fields.get('x-content-type-options'), 'nosniff')
    assert.equal(fields.get('content-security-policy'), undefined)
    assert.equal(fields.get('connection'), undefined)
  })

  test('HEAD is as GET without the content (9.3.2)', async () => {
    for (const target of ['/docs/hello.txt', '/docs/large.bin', '/docs/', '/', '/docs/nothing']) {
      const [get, head] = [await server.get(target), await server.request(`HEAD ${target}`)]
      const without = (fields: ReadonlyMap<string, string>) => [...fields].filter(([name]) => name !== 'date')
      assert.equal(head.status, get.status)
      assert.deepEqual(without(head.fields), without(get.fields))
    }
  })

  test('large and empty files are whole', async () => {
    assert.ok((await server.get('/docs/large.bin')).body.equals(large))
    assert.deepEqual((await server.get('/docs/empty')).body.length, 0)
  })

  test('one range is a part of the file, an unsatisfiable one 416, one that makes no sense is ignored (14.2, 15.5.17)', async () => {
    const part = await server.get('/docs/large.bin', 'Range: bytes=1000000-2000000')
    assert.equal(part.status, 206)
    assert.equal(part.fields.get('content-range'), `bytes 1000000-2000000/${large.length}`)
    assert.ok(part.body.equals(large.subarray(1_000_000, 2_000_001)))
    const none = await server.get('/docs/hello.txt', 'Range: bytes=14-')
    assert.deepEqual([none.status, none.fields.get('content-range')], [416, 'bytes */14'])
    assert.equal((await server.get('/docs/hello.txt', 'Range: bytes=4-1')).status, 200)
    assert.equal((await server.request('HEAD /docs/hello.txt', 'Range: bytes=0-1')).status, 200)
  })

  test('several ranges are a multipart/byteranges (15.3.7.2)', async () => {
    const { status, fields, body } = await server.get('/docs/large.bin', 'Range: bytes=0-99,1000000-1999999,-1')
    assert.equal(status, 206)
    const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(fields.get('content-type') ?? '')?.[1]
    assert.ok(boundary !== undefined)
    assert.equal(fields.get('content-range'), undefined)
    const part = (from: number, to: number): Buffer =>
      Buffer.concat([
        Buffer.from(`--${boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ${from}-${to}/${large.length}\r\n\r\n`),
        large.subarray(from, to + 1),
        Buffer.from('\r\n'),
      ])
    const last = large.length - 1
    assert.ok(body.equals(Buffer.concat([part(0, 99), part(1_000_000, 1_999_999), part(last, last), Buffer.from(`--${boundary}--\r\n`)])))
  })

  test('If-Range lets a range through for the same file only (13.1.5)', async () => {
    const { fields } = await server.get('/docs/large.bin')
    const range = 'Range: bytes=0-0'
    assert.equal((await server.get('/docs/large.bin', range, `If-Range: ${fields.get('etag')}`)).status, 206)
    assert.equal((await server.get('/docs/large.bin', range, 'If-Range: "another"')).status, 200)
  })

  test('conditions: 304 without content, 412 (13.2)', async () => {
    const { fields } = await server.get('/docs/hello.txt')
    const etag = fields.get('etag')
    const same = await server.get('/docs/hello.txt', `If-None-Match: ${etag}`)
    assert.deepEqual([same.status, same.fields.get('etag'), same.fields.get('content-length')], [304, etag, undefined])
    assert.equal((await server.get('/docs/hello.txt', `If-Modified-Since: ${fields.get('last-modified')}`)).status, 304)
    assert.equal((await server.get('/docs/hello.txt', 'If-Match: "another"')).status, 412)
    assert.equal((await server.get('/docs/hello.txt', `If-Match: ${etag}`)).status, 200)
  })

  test('a file that is changed, replaced or deleted is another one at once', async () => {
    write('changing', 'one')
    const first = await server.get('/docs/changing')
    await new Promise(resolve => setTimeout(resolve, 20))
    write('changing', 'two')
    const second = await server.get('/docs/changing', `If-None-Match: ${first.fields.get('etag')}`)
    assert.deepEqual([second.status, second.body.toString()], [200, 'two'])
    fs.writeFileSync(path.join(root, 'replacement'), 'three')
    fs.renameSync(path.join(root, 'replacement'), path.join(root, 'changing'))
    assert.equal((await server.get('/docs/changing')).body.toString(), 'three')
    fs.rmSync(path.join(root, 'changing'))
    assert.equal((await server.get('/docs/changing')).status, 404)
  })

  test('names with any bytes in them are reached, and listed as they are reached', async () => {
    const { entries } = JSON.parse((await server.get('/docs/?format=json')).body.toString()) as { entries: { name: string; url: string }[] }
    const urls = new Map(entries.map(({ name, url }) => [name, url]))
    assert.equal((await server.get(urls.get('100% süß "é".txt')!)).body.toString(), 'odd')
    assert.equal((await server.get(urls.get('a:b?.txt')!)).body.toString(), 'colon')
    assert.equal((await server.get(urls.get('raw-\ufffd')!)).body.toString(), 'bytes that are no UTF-8')
    assert.equal(urls.get('raw-\ufffd'), '/docs/raw-%FF')
    assert.equal((await server.get('/DOCS/HELLO.TXT')).status, 200)
  })

  for (const [target, why] of [
    ['/docs/../secret', 'dots'],
    ['/docs/%2e%2e/secret', 'encoded dots'],
    ['/docs/..%2fsecret', 'an encoded slash'],
    ['/docs/%2e%2e%2fsecret', 'both'],
    ['/docs/sub/%5c..%5c..%5csecret', 'backslashes'],
    ['/docs/hello.txt%00', 'NUL'],
    ['/docs//hello.txt', 'an empty name'],
    ['/docs/%', 'half a percent encoding'],
    ['/docs/%zz', 'a wrong percent encoding'],
    ['/docs/leak', 'a link out'],
    ['/docs/up/secret', 'a folder that is a link out'],
    ['/docs/hello.txt/', 'a slash behind a file'],
    ['/docs/hello.txt/x', 'a file as a folder'],
    ['/docs/.holdfast-streams/', 'what the server keeps for itself'],
    ['/docs/hello.txt:stream', 'a named stream'],
    ['/nothing/', 'no share'],
  ] as const) {
    test(`${why} leads nowhere: ${target}`, async () => {
      const response = await server.get(target, asAlice)
      assert.equal(response.status, 404)
      assert.ok(!response.body.toString().includes('secret'))
    })
  }

  test('links that stay within are followed', async () => {
    assert.equal((await server.get('/docs/way/deep.txt')).body.toString(), 'deep')
  })

  test('a folder has a slash (its query stays), and lists what can be read', async () => {
    const { status, fields } = await server.get('/docs/sub?format=json')
    assert.deepEqual([status, fields.get('location')], [301, '/docs/sub/?format=json'])
    const list = JSON.parse((await server.get('/docs/sub/?format=json')).body.toString()) as { entries: object[] }
    assert.deepEqual(
      list.entries.map(entry => ({ ...entry, modified: '' })),
      [{ name: 'inner', type: 'folder', modified: '', url: '/docs/sub/inner/' }],
    )
    const { entries } = JSON.parse((await server.get('/docs/?format=json')).body.toString()) as { entries: { name: string }[] }
    const names = entries.map(({ name }) => name)
    assert.ok(names.includes('way'))
    assert.ok(!names.includes('leak') && !names.includes('up'))
  })

  test('a large folder comes in pages, each entry once', async () => {
    const names: string[] = []
    for (let next: string | null = '/docs/many/?format=json&limit=700', pages = 0; next !== null; pages++) {
      assert.ok(pages < 10)
      const page = JSON.parse((await server.get(next)).body.toString()) as { entries: { name: string }[]; next: string | null }
      names.push(...page.entries.map(({ name }) => name))
      next = page.next
    }
    assert.deepEqual(names, fs.readdirSync(path.join(root, 'many')).toSorted())
    const html = (await server.get('/docs/many/')).body.toString()
    assert.match(html, /<a href="\?after=0999" rel="next">/)
    assert.equal((await server.get('/docs/many/?format=json&limit=0')).status, 400)
    assert.equal((await server.get('/docs/many/?format=json&limit=10001')).status, 400)
  })

  test('a listing is a page or JSON, as the client prefers (12.5.1)', async () => {
    const typeFor = async (...accept: readonly string[]) => (await server.get('/docs/', ...accept)).fields.get('content-type')
    assert.equal(await typeFor(), 'text/html; charset=utf-8')
    assert.equal(await typeFor('Accept: */*'), 'text/html; charset=utf-8')
    assert.equal(await typeFor('Accept: application/json'), 'application/json')
    assert.equal(await typeFor('Accept: text/html, application/json;q=0.9'), 'text/html; charset=utf-8')
    assert.equal(await typeFor('Accept: application/json, text/html;q=0.9'), 'application/json')
  })

  test('names cannot become markup', async () => {
    write('<img src=x onerror=alert(1)>&amp;.txt', '')
    const { body, fields } = await server.get('/docs/')
    assert.ok(!body.toString().includes('<img'))
    assert.match(body.toString(), /&lt;img src=x onerror=alert\(1\)&gt;&amp;amp;\.txt/)
    assert.match(fields.get('content-security-policy') ?? '', /^default-src 'none'; style-src 'sha256-/)
  })

  test('documents that could run scripts are inert, unless the share has active content', async () => {
    for (const name of ['page.html', 'image.SVG']) {
      assert.equal((await server.get(`/docs/${name}`)).fields.get('content-security-policy'), 'sandbox')
      assert.equal((await server.get(`/site/${name}`)).fields.get('content-security-policy'), undefined)
    }
  })

  test('where there is active content an index.html stands for its folder', async () => {
    assert.equal((await server.get('/site/sub/')).fields.get('content-type'), 'text/html; charset=utf-8')
    write('sub/index.html', 'the index')
    assert.equal((await server.get('/site/sub/')).body.toString(), 'the index')
    assert.notEqual((await server.get('/docs/sub/')).body.toString(), 'the index')
    fs.rmSync(path.join(root, 'sub/index.html'))
  })

  test('what is not public asks who somebody is, and does not tell what there is (RFC 7617)', async () => {
    for (const target of ['/private/hello.txt', '/nothing/', '/closed/', '/private/nothing']) {
      const { status, fields } = await server.get(target)
      assert.deepEqual([status, fields.get('www-authenticate')], [401, 'Basic realm="test", charset="UTF-8"'], target)
    }
    assert.equal((await server.get('/private/hello.txt', asAlice)).status, 200)
    assert.equal((await server.get('/private/hello.txt', asAlice)).fields.get('cache-control'), 'private, no-cache')
    assert.equal((await server.get('/closed/hello.txt', asAlice)).status, 403)
    assert.equal((await server.get('/unreadable/hello.txt', asAlice)).status, 403)
    assert.equal((await server.get('/unreadable/', asAlice)).status, 403)
  })

  test('wrong credentials are refused wherever they are sent, and counted', async () => {
    const wrong = `Authorization: Basic ${Buffer.from('alice:wrong').toString('base64')}`
    assert.equal((await server.get('/docs/hello.txt', wrong)).status, 401)
    assert.equal((await server.get('/private/hello.txt', 'Authorization: Bearer x')).status, 401)
    assert.deepEqual(server.failures, ['alice'])
    assert.ok(!server.logged.some(line => line.includes('wrong')))
  })

  test('the list of shares has those that somebody can read, without hidden ones', async () => {
    const listed = async (...fields: readonly string[]) =>
      (JSON.parse((await server.get('/?format=json', ...fields)).body.toString()) as { shares: { name: string }[] }).shares.map(({ name }) => name)
    assert.deepEqual(await listed(), ['docs', 'unreadable', 'site'])
    assert.deepEqual(await listed(asAlice), ['docs', 'private', 'unreadable', 'site'])
    assert.equal((await server.get('/?login')).status, 401)
    assert.equal((await server.get('/?login', asAlice)).status, 200)
    assert.equal((await server.get('/hidden$/hello.txt')).status, 200)
  })

  test('other methods are told what there is (RFC 9110 15.5.6)', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'TRACE', 'PROPFIND']) {
      const { status, fields } = await server.request(`${method} /docs/hello.txt`, 'Content-Length: 0')
      assert.deepEqual([status, fields.get('allow')], [405, 'GET, HEAD, OPTIONS'])
    }
    const { status, fields } = await server.request('OPTIONS *')
    assert.deepEqual([status, fields.get('allow')], [204, 'GET, HEAD, OPTIONS'])
  })

  test('requests that come together are answered in their order (RFC 9112 9.3.2)', async () => {
    const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`
    const targets = ['/docs/hello.txt', '/docs/large.bin', '/docs/many/?format=json', '/docs/empty', '/docs/nothing', '/docs/hello.txt']
    const responses = await server.raw(targets.map(get).join(''), targets.length)
    assert.deepEqual(
      responses.map(({ status }) => status),
      [200, 200, 200, 200, 404, 200],
    )
    assert.ok(responses[1].body.equals(large))
    assert.equal(responses[5].body.toString(), 'Hello, world!\n')
  })

  test('a hundred small ones as well', async () => {
    const get = 'GET /docs/hello.txt HTTP/1.1\r\nHost: a\r\n\r\n'
    const responses = await server.raw(get.repeat(100), 100)
    assert.equal(responses.filter(({ body }) => body.toString() === 'Hello, world!\n').length, 100)
  })

  test('a connection ends when the client says so, and in HTTP/1.0 unless it says so (RFC 9112 9.3)', async () => {
    const request = (version: string, ...fields: readonly string[]) =>
      [`GET /docs/hello.txt HTTP/${version}`, 'Host: a', ...fields, '', ''].join('\r\n')
    // What follows a request that ends its connection has no answer.
    const closed = await server.raw(request('1.1', 'Connection: close') + request('1.1'), 3)
    assert.deepEqual(
      closed.map(({ fields }) => fields.get('connection')),
      ['close'],
    )
    assert.equal((await server.raw(request('1.0'), 2)).length, 1)
    const kept = await server.raw(request('1.0', 'Connection: keep-alive').repeat(2), 2)
    assert.deepEqual(
      kept.map(({ fields }) => fields.get('connection')),
      ['keep-alive', 'keep-alive'],
    )
  })

  test('content of a request is skipped, and what is no request ends the connection', async () => {
    const get = 'GET /docs/hello.txt HTTP/1.1\r\nHost: a\r\n'
    const skipped = await server.raw(`${get}Content-Length: 5\r\n\r\nhello${get}\r\n`, 2)
    assert.deepEqual(
      skipped.map(({ status }) => status),
      [200, 200],
    )
    for (const [text, status] of [
      ['nonsense\r\n\r\n', 400],
      [`${get}Host: b\r\n\r\n`, 400],
      [`${get}Transfer-Encoding: gzip\r\n\r\n`, 501],
      [`${get}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
      [`GET /docs/${'a'.repeat(8000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
      [`${get}X: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
      ['GET / HTTP/3.0\r\n\r\n', 505],
    ] as const) {
      const responses = await server.raw(text + get, 3)
      assert.deepEqual(
        responses.map(response => [response.status, response.fields.get('connection')]),
        [[status, 'close']],
        text.slice(0, 60),
      )
    }
  })

  test('a client that has ended its side gets its answers (RFC 9112 9.6)', async () => {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.end('GET /docs/large.bin HTTP/1.1\r\nHost: a\r\n\r\nGET /docs/hello.txt HTTP/1.1\r\nHost: a\r\n\r\n')
    const received = Buffer.concat(await socket.toArray())
    assert.ok(received.includes(large.subarray(-1000)))
    assert.match(received.toString('latin1'), /\r\n\r\nHello, world!\n$/)
  })

  test('a client that is still sending what is not taken reads why', async () => {
    const socket = connect(server.port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk))
    const failure = once(socket, 'close')
    socket.write('PUT /docs/new HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n')
    for (let sent = 0; sent < 20; sent++) socket.write(Buffer.alloc(1_000_000))
    await failure
    assert.match(Buffer.concat(chunks).toString('latin1'), /^HTTP\/1\.1 405 (.+\r\n)+Connection: close\r\n/)
  })

  test('a connection on which nothing is asked for long ends', async () => {
    await using other = await startContent([], { limits: { restMsMax: 100 } })
    const [socket, rests] = [connect(other.port, '127.0.0.1'), connect(other.port, '127.0.0.1')]
    for (const each of [socket, rests]) each.write('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n')
    const [first] = (await once(socket, 'data')) as [Buffer]
    assert.match(first.toString(), /^HTTP\/1\.1 204 /)
    await Promise.all([once(socket.resume(), 'close'), once(rests.resume(), 'close')])
  })

  test('a file is to be saved where its URL says so', async () => {
    assert.equal((await server.get('/docs/hello.txt?download')).fields.get('content-disposition'), 'attachment')
  })

  test('a share whose folder is removed has nothing, and is there again with it', async () => {
    const gone = path.join(folder, 'gone')
    fs.mkdirSync(gone)
    await using other = await startContent([testShare('gone', directory(gone))])
    fs.writeFileSync(path.join(gone, 'a'), 'first')
    assert.equal((await other.get('/gone/a')).body.toString(), 'first')
    fs.rmSync(gone, { recursive: true })
    assert.equal((await other.get('/gone/a')).status, 404)
    fs.mkdirSync(gone)
    fs.writeFileSync(path.join(gone, 'a'), 'second')
    assert.equal((await other.get('/gone/a')).body.toString(), 'second')
  })

  test('no file stays open for those who are gone', async () => {
    const open = (): number =>
      fs
        .readdirSync('/proc/self/fd')
        .flatMap(fd => linkOf(`/proc/self/fd/${fd}`))
        .filter(target => target.startsWith(root)).length
    await server.get('/docs/large.bin')
    const before = open()
    for (let at = 0; at < 20; at++) await server.raw('GET /docs/large.bin HTTP/1.1\r\nHost: a\r\n\r\n', 0)
    await server.get('/docs/large.bin')
    // Those that nobody has read for a while are closed meanwhile.
    assert.ok(open() <= before, `${open()} of ${before}`)
  })
})

function linkOf(link: string): string[] {
  try {
    return [fs.readlinkSync(link)]
  } catch {
    // Closed meanwhile.
    return []
  }
}

describe('content of a filesystem in memory', () => {
  const large = randomBytes(1 << 20)
  async function withFiles(): Promise<ContentServer> {
    const files = memory()
    const access = { read: true, write: true }
    for (const [name, content] of [
      ['small', Buffer.from('small')],
      ['large', large],
    ] as const) {
      const handle = files.create(name, '', { folder: false, attributes: 0x20, access })
      handle.write(content, 0)
      handle.close()
    }
    return startContent([testShare('memory', files)])
  }

  test('is the same', async () => {
    await using server = await withFiles()
    assert.equal((await server.get('/memory/small')).body.toString(), 'small')
    assert.ok((await server.get('/memory/large')).body.equals(large))
    assert.ok((await server.get('/memory/large', 'Range: bytes=-70000')).body.equals(large.subarray(-70_000)))
    assert.match((await server.get('/memory/')).body.toString(), /1 MiB|1\.0 MiB/)
  })
})

test('access-based enumeration hides what a reader may not read', async () => {
  const files = memory()
  for (const name of ['shown', 'hidden']) {
    const handle = files.create(name, '', { folder: false, attributes: 0x20, access: { read: true, write: true } })
    handle.setSecurity(Buffer.from(name))
    handle.close()
  }
  const share = testShare('abe', files, {
    hidesUnreadable: true,
    mayList: (reader, security) => reader === testAccounts.nobody && Buffer.from(security ?? []).toString() === 'shown',
  })
  await using server = await startContent([share])
  const { entries } = JSON.parse((await server.get('/abe/?format=json')).body.toString()) as { entries: { name: string }[] }
  assert.deepEqual(
    entries.map(({ name }) => name),
    ['shown'],
  )
})
