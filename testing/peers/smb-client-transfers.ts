/** Content of files, large and small, against any server. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SmbShare } from '@holdfast/smb/client'
import { randomContent, temporaryFolder } from './folder.ts'
import { startProxy } from './proxy.ts'
import { code, mebibyte, sha256 } from './smb-client-target.ts'
import type { Context, Target } from './smb-client-target.ts'

/** Reading and writing. */
export function transferTests(context: () => Context): void {
  describe('transfers', () => {
    let target: Target
    let share: SmbShare
    let connect: Context['connect']
    before(() => {
      ;({ target, share, connect } = context())
    })

    const content = randomContent(64 * mebibyte + 12_345)
    const expected = sha256(content)

    for (const encrypt of [false, true]) {
      test(`64 MiB come back with the same SHA-256, ${encrypt ? 'encrypted' : 'signed'}`, async () => {
        await using own = await connect({ encrypt })
        await using docs = await own.share(target.share)
        await docs.writeFile('large.bin', content)
        assert.equal(sha256(await docs.readFile('large.bin')), expected)
        await using file = await docs.open('large.bin')
        const hash = createHash('sha256')
        for await (const chunk of file.chunks({}, { concurrency: 3, chunkBytes: 700_001 })) hash.update(chunk)
        assert.equal(hash.digest('hex'), expected)
        await docs.remove('large.bin')
      })
    }

    test('upload and download say how far they are', async () => {
      await using folder = temporaryFolder('smb-client', { needBytes: 256 * mebibyte })
      writeFileSync(folder.at('from'), content)
      const seen: number[] = []
      const onProgress = ({ copiedBytes, totalBytes }: { copiedBytes: number; totalBytes: number }): void => {
        assert.equal(totalBytes, content.length)
        seen.push(copiedBytes)
      }
      await share.upload(folder.at('from'), 'up.bin', { onProgress })
      assert.deepEqual([seen.length, seen.at(-1)], [65, content.length])
      await share.download('up.bin', folder.at('to'), { onProgress })
      assert.deepEqual([seen.length, seen.at(-1)], [130, content.length])
      assert.equal(sha256(readFileSync(folder.at('to'))), expected)
      await share.remove('up.bin')
    })

    test('web streams, both ways, and a range', async () => {
      const part = content.subarray(0, 3 * mebibyte)
      {
        await using file = await share.open('stream.bin', { flags: 'w' })
        await new Blob([new Uint8Array(part)]).stream().pipeTo(file.writable())
      }
      await using file = await share.open('stream.bin')
      const read = Buffer.concat(await Array.fromAsync(file.readable({ offset: 1000, lengthBytes: 2_000_000 })))
      assert.equal(sha256(read), sha256(part.subarray(1000, 2_001_000)))
      for await (const chunk of file.readable()) {
        assert.ok(chunk.length > 0)
        break
      }
      await file.close()
      await share.remove('stream.bin')
    })

    test('chunks of any size from an async iterable', async () => {
      async function* source(): AsyncGenerator<Buffer> {
        const chunk = Buffer.alloc(100_000)
        for (let i = 0; i < 50; i++) yield chunk.fill(i)
      }
      await share.writeFile('chunks.bin', source())
      const expectedBytes = Buffer.concat(await Array.fromAsync(source(), chunk => Buffer.from(chunk)))
      assert.equal(sha256(await share.readFile('chunks.bin')), sha256(expectedBytes))
      await share.remove('chunks.bin')
    })

    test('an empty file, and reading behind the end', async () => {
      await share.writeFile('empty', '')
      assert.equal((await share.readFile('empty')).length, 0)
      await using file = await share.open('empty', { flags: 'r+' })
      assert.equal(await file.read(Buffer.alloc(10), 0), 0)
      await file.write(Buffer.from('abc'), 5)
      const target = Buffer.alloc(10, 1)
      assert.deepEqual([await file.read(target, 0), target.toString('latin1', 0, 8)], [8, '\0\0\0\0\0abc'])
      assert.equal(await file.read(target, 8), 0)
      await file.close()
      await share.remove('empty')
    })

    test('a signal ends a transfer in the middle, and the connection goes on', async () => {
      await share.writeFile('abort.bin', content)
      const abort = new AbortController()
      await using file = await share.open('abort.bin')
      let bytes = 0
      const reading = (async () => {
        for await (const chunk of file.chunks({}, { signal: abort.signal })) {
          bytes += chunk.length
          if (bytes > 5 * mebibyte) abort.abort()
        }
      })()
      await assert.rejects(reading, { name: 'AbortError' })
      assert.ok(bytes < content.length)
      const timeout = AbortSignal.timeout(20)
      await assert.rejects(
        (async () => {
          for (;;) await share.writeFile('aborted.bin', content, { signal: timeout })
        })(),
        { name: 'TimeoutError' },
      )
      await assert.rejects(share.stat('abort.bin', { signal: AbortSignal.abort() }), { name: 'AbortError' })
      const head = Buffer.alloc(1000)
      await file.read(head, 0)
      assert.deepEqual(head, content.subarray(0, 1000))
      await file.close()
      await share.remove('abort.bin')
      if (await share.exists('aborted.bin')) await share.remove('aborted.bin')
    })

    test('a connection that is cut in the middle rejects everything under way, where it is not to be repaired', async () => {
      await share.writeFile('cut.bin', content)
      await using proxy = await startProxy(target)
      await using own = await connect({ ...proxy.endpoint, reconnectMs: 0 })
      await using docs = await own.share(target.share)
      await using file = await docs.open('cut.bin')
      const calls = [docs.readFile('cut.bin'), docs.writeFile('cut2.bin', content), docs.watch('').next(), file.read(Buffer.alloc(30 * mebibyte), 0)]
      while (proxy.bytesToClient < 5 * mebibyte) await sleep(1)
      proxy.cut()
      for (const outcome of await Promise.allSettled(calls)) assert.ok(outcome.status === 'rejected' && code('CONNECTION_LOST')(outcome.reason))
      assert.equal(own.state, 'given-up')
      await assert.rejects(docs.stat(''), code('CONNECTION_LOST'))
    })
  })
}
