/** Paths of URLs, for the fuzzer: whatever they lead to, its names are names. */
import assert from 'node:assert/strict'
import { readLocation, urlOf } from './location.ts'

/** For the fuzzer. */
export const decoders = {
  location: {
    decode(bytes: Buffer): void {
      const path = `/${bytes.toString('latin1').replace(/[^!-~]/g, '')}`
      const at = readLocation(path)
      if (at === undefined) throw Object.assign(new Error('refused'), { name: 'MalformedError' })
      const names = at.path === '' ? [] : at.path.split('/')
      for (const name of names) assert.ok(name !== '' && name !== '.' && name !== '..' && !/[\0\\]/.test(name))
      const url = urlOf(at)
      assert.match(url, /^\/(?:[A-Za-z0-9._~-]|%[0-9A-F]{2}|\/)*$/)
      assert.ok(!url.startsWith('//'))
      // A share's name may have been anything; the rest is the same when it comes back.
      assert.equal(readLocation(url)?.path, at.path)
    },
    seeds: ['docs/a%20b/%C3%A4.txt', 'docs/%2e%2e/%2Fx/', 'd/%ff%EF%80%A2/a:b?/'].map(seed => Buffer.from(seed)),
  },
}
