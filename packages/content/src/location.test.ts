import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { readLocation, shownName, urlComponent, urlOf } from './location.ts'
import { mediaTypeOf } from './media-types.ts'

describe('paths of URLs', () => {
  for (const [url, share, path, isFolder] of [
    ['/', '', '', true],
    ['/docs', 'docs', '', false],
    ['/docs/', 'docs', '', true],
    ['/docs/a/b.txt', 'docs', 'a/b.txt', false],
    ['/docs/a%20b/', 'docs', 'a b', true],
    ['/docs/%C3%A4', 'docs', 'ä', false],
    // As SMB shows what it cannot have in a name.
    ['/docs/a:b', 'docs', 'a\uf022b', false],
    ['/docs/a%3Fb', 'docs', 'a\uf025b', false],
    ['/docs/end.', 'docs', 'end\uf029', false],
    ['/docs/%FF', 'docs', '\uf0ff', false],
    ['/docs/%2525', 'docs', '%25', false],
  ] as const) {
    test(`${url} is ${JSON.stringify(path)} of ${JSON.stringify(share)}`, () => {
      assert.deepEqual(readLocation(url), { share, path, isFolder })
    })
  }
  for (const url of [
    '//',
    '//docs',
    '/docs//a',
    '/docs/./a',
    '/docs/../a',
    '/docs/%2E%2e/a',
    '/docs/a%2fb',
    '/docs/%00',
    '/docs/%',
    '/docs/%4',
    '/docs/%xx',
    '/./',
    '/../',
    'docs',
  ]) {
    test(`${url} is none`, () => assert.equal(readLocation(url), undefined))
  }

  test('any bytes of a name come back from its URL, which has nothing in it that means something else', () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 20 })
      .filter(bytes => !bytes.includes(0) && !bytes.includes(0x2f) && !/^\.\.?$/.test(Buffer.from(bytes).toString('latin1')))
    fc.assert(
      fc.property(fc.array(name, { maxLength: 4 }), fc.boolean(), (names, isFolder) => {
        const encoded = names.map(bytes => Array.from(bytes, byte => `%${byte.toString(16).padStart(2, '0')}`).join(''))
        const at = readLocation(`/${['docs', ...encoded].join('/')}${isFolder ? '/' : ''}`)
        assert.ok(at !== undefined)
        const url = urlOf(at)
        assert.match(url, /^(?:\/[A-Za-z0-9._~%-]+)+\/?$/)
        assert.deepEqual(readLocation(url), at)
      }),
    )
  })

  test('names are shown as others on the machine know them', () => {
    assert.equal(shownName('a\uf022b'), 'a:b')
    assert.equal(urlComponent('a\uf022b'), 'a%3Ab')
    assert.equal(shownName('plain.txt'), 'plain.txt')
  })
})

test('types are by the extension, in any case; text is UTF-8; what may have scripts is known', () => {
  for (const [name, value, isScriptable] of [
    ['a.TXT', 'text/plain; charset=utf-8', false],
    ['a/b.html', 'text/html; charset=utf-8', true],
    ['a.xhtml', 'application/xhtml+xml', true],
    ['a.svg', 'image/svg+xml', true],
    ['a.xml', 'text/xml; charset=utf-8', true],
    ['a.js', 'text/javascript; charset=utf-8', false],
    ['a.tar.gz', 'application/gzip', false],
    ['README', 'application/octet-stream', false],
    ['a.constructor', 'application/octet-stream', false],
    ['a.__proto__', 'application/octet-stream', false],
  ] as const) {
    assert.deepEqual(mediaTypeOf(name), { value, isScriptable }, name)
  }
})
