import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { ConsoleFiles } from './console.ts'

describe('the files of the console', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-console-'))
  const files = new ConsoleFiles(pathToFileURL(`${folder}/dist/`))
  const ask = (path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET') =>
    files.answer({ method, path, query: '', headers: new Map(Object.entries(headers)), content: Buffer.alloc(0) })

  before(async () => {
    const missing = await ask('/')
    assert.equal(missing?.status, 404)
    assert.match(String(missing?.body), /npm run build/)
    assert.equal(await ask('/index.html'), undefined)
    mkdirSync(join(folder, 'dist/assets'), { recursive: true })
    writeFileSync(join(folder, 'dist/index.html'), '<!doctype html>')
    writeFileSync(join(folder, 'dist/assets/index-BvRz2c4a.js'), 'let a')
    writeFileSync(join(folder, 'dist/assets/index-BvRz2c4a.js.gz'), gzipSync('let a'))
    writeFileSync(join(folder, 'dist/secret.key'), 'x')
  })
  after(() => rmSync(folder, { recursive: true }))

  test('the page is asked for anew each time, with a strict policy (CSP 3)', async () => {
    const page = await ask('/')
    assert.equal(page?.status, 200)
    assert.equal(page.contentType, 'text/html; charset=utf-8')
    assert.equal(page.headers?.['Cache-Control'], 'no-cache')
    const policy = page.headers['Content-Security-Policy'] ?? ''
    assert.match(policy, /^default-src 'none'; script-src 'self';/)
    assert.doesNotMatch(policy, /unsafe/)
  })

  test('who has it already is told so (RFC 9110 13.1.2)', async () => {
    const etag = (await ask('/'))?.headers?.['ETag'] ?? ''
    assert.match(etag, /^"[\w-]{22}"$/)
    for (const tags of [etag, `W/${etag}`, `"x", ${etag}`, '*']) assert.equal((await ask('/', { 'if-none-match': tags }))?.status, 304)
    for (const tags of ['"x"', etag.slice(1, -1)]) assert.equal((await ask('/', { 'if-none-match': tags }))?.status, 200)
  })

  test('what has a hash in its name never changes; it goes compressed to who takes that (RFC 9110 12.5.3)', async () => {
    const path = '/assets/index-BvRz2c4a.js'
    const plain = await ask(path, { 'accept-encoding': 'br, gzip;q=0' })
    assert.equal(String(plain?.body), 'let a')
    assert.match(plain?.headers?.['Cache-Control'] ?? '', /immutable/)
    const coded = await ask(path, { 'accept-encoding': 'br, gzip;q=0.5' })
    assert.deepEqual([coded?.headers?.['Content-Encoding'], coded?.headers?.['Vary']], ['gzip', 'Accept-Encoding'])
    assert.deepEqual(coded?.body, gzipSync('let a'))
    assert.notEqual(coded.headers?.['ETag'], plain?.headers?.['ETag'])
  })

  test('nothing else is there', async () => {
    for (const path of ['/secret.key', '/assets/index-BvRz2c4a.js.gz', '/../files.ts', '/assets', '/__proto__'])
      assert.equal(await ask(path), undefined, path)
    assert.equal(await ask('/', {}, 'POST'), undefined)
  })
})
