/** What the SMB client must be able to do with any server: written once, run against each. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SmbClient, SmbError } from '@holdfast/smb/client'
import type { SmbChange, SmbClientOptions, SmbDialect, SmbShare } from '@holdfast/smb/client'
import { randomContent, temporaryFolder } from './folder.ts'
import { startProxy } from './proxy.ts'

/** A server to be tested against. */
export interface Target extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** A share the user may write to. */
  readonly share: string
  /** One that may only be read. */
  readonly readOnlyShare: string
  /** One that demands encryption; undefined where the target has none. */
  readonly encryptedShare?: string
}

const mebibyte = 1024 * 1024
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const code =
  (...expected: string[]) =>
  (error: unknown): boolean => {
    if (error instanceof SmbError && expected.includes(error.code)) return true
    throw error
  }

/** Everything, against a target that is started for it. */
export function smbClientSuite(name: string, start: () => Promise<Target>, options: { readonly skip: string | false }): void {
  describe(name, { skip: options.skip, timeout: 300_000 }, () => {
    let target: Target
    let client: SmbClient
    let share: SmbShare

    const connect = async (more: Partial<SmbClientOptions> = {}): Promise<SmbClient> => {
      const { host, port, user, password } = target
      return SmbClient.connect({ host, port, user, password, timeoutMs: 20_000, ...more })
    }

    before(async () => {
      target = await start()
      client = await connect()
      share = await client.share(target.share)
    })
    after(async () => {
      await client?.close()
      await target?.[Symbol.asyncDispose]()
    })

    describe('dialects and protection', () => {
      const dialects: readonly SmbDialect[] = ['2.0.2', '2.1', '3.0', '3.0.2', '3.1.1']
      const modes: (readonly [string, Partial<SmbClientOptions>])[] = [
        ...dialects.map(dialect => [`${dialect} signed`, { dialects: [dialect] }] as const),
        ...dialects.map(dialect => [`${dialect} without signing`, { dialects: [dialect], signing: 'if-asked' }] as const),
        ...dialects.slice(2).map(dialect => [`${dialect} encrypted`, { dialects: [dialect], encrypt: true }] as const),
        ...(['AES-GMAC', 'AES-CMAC', 'HMAC-SHA256'] as const).map(one => [`signed by ${one}`, { signingAlgorithms: [one] }] as const),
        ...(['AES-128-CCM', 'AES-128-GCM', 'AES-256-CCM', 'AES-256-GCM'] as const).map(
          one => [`encrypted by ${one}`, { ciphers: [one], encrypt: true }] as const,
        ),
      ]
      for (const [mode, more] of modes) {
        test(`${mode}: files and folders`, async () => {
          await using own = await connect(more)
          assert.equal(own.dialect, more.dialects?.[0] ?? '3.1.1')
          assert.equal(own.encrypts, more.encrypt ?? false)
          if (more.ciphers !== undefined) assert.equal(own.cipher, more.ciphers[0])
          await using docs = await own.share(target.share)
          const content = randomContent(300_001)
          await docs.mkdir('mode/sub', { recursive: true })
          await docs.writeFile('mode/sub/a.bin', content)
          assert.deepEqual(await docs.readFile('mode/sub/a.bin'), content)
          assert.equal((await docs.stat('mode/sub/a.bin')).sizeBytes, 300_001)
          assert.deepEqual(
            (await Array.fromAsync(docs.list('mode/sub'))).map(entry => [entry.name, entry.kind, entry.sizeBytes]),
            [['a.bin', 'file', 300_001]],
          )
          await docs.removeFolder('mode', { recursive: true })
          assert.equal(await docs.exists('mode'), false)
        })
      }

      test('2.0.2 cannot be encrypted', async () => {
        await assert.rejects(connect({ dialects: ['2.0.2'], encrypt: true }), code('ENCRYPTION_NOT_SUPPORTED'))
      })

      test('a share that demands encryption is encrypted', async t => {
        if (target.encryptedShare === undefined) return t.skip('the target has none')
        await using locked = await client.share(target.encryptedShare)
        assert.equal(locked.tree.encrypts, true)
        await locked.writeFile('secret', 'text')
        assert.equal((await locked.readFile('secret')).toString(), 'text')
        await locked.remove('secret')
      })
    })

    describe('logging in', () => {
      test('a wrong password and an unknown user are LOGON_FAILURE', async () => {
        await assert.rejects(connect({ password: 'wrong' }), code('LOGON_FAILURE'))
        await assert.rejects(connect({ user: 'nobody-of-that-name' }), code('LOGON_FAILURE'))
      })

      test('an unknown share is NO_SUCH_SHARE, and the session goes on', async () => {
        await assert.rejects(client.share('no-such-share'), code('NO_SUCH_SHARE'))
        assert.equal(client.state, 'ready')
      })

      test('nobody listening is CONNECTION_FAILED', async () => {
        await assert.rejects(connect({ port: 1 }), code('CONNECTION_FAILED'))
      })

      test('the shares of the server (MS-SRVS 3.1.4.8)', async () => {
        const shares = await client.shares()
        assert.ok(shares.some(one => one.name === target.share && one.kind === 'disk'))
        assert.ok(shares.some(one => one.name === 'IPC$' && one.kind === 'ipc' && one.isSpecial))
      })
    })

    describe('a man in the middle', () => {
      const flip = (frame: Buffer, at: number): void => void (frame[at] = frame[at]! ^ 1)
      const through = async (meddle: Parameters<typeof startProxy>[1], more: Partial<SmbClientOptions>): Promise<void> => {
        await using proxy = await startProxy(target, meddle)
        await using own = await connect({ ...more, ...proxy.endpoint, timeoutMs: 5000 })
        await using docs = await own.share(target.share)
        await docs.stat('')
      }
      const protections: readonly Partial<SmbClientOptions>[] = [{}, { encrypt: true }, { dialects: ['2.1'] }, { dialects: ['3.0.2'], encrypt: true }]
      for (const more of protections) {
        test(`who changes an answer is found out ${JSON.stringify(more)} (MS-SMB2 3.2.5.1.3)`, async () => {
          let frames = 0
          const toClient = (frame: Buffer): void => void (++frames > 3 && flip(frame, frame.length - 1))
          await assert.rejects(through({ toClient }, more), code('SIGNATURE_INVALID'))
        })
      }

      test('who changes the negotiation of 3.1.1 is found out by the keys (MS-SMB2 3.1.4.4.1)', async () => {
        let isFirst = true
        const toServer = (frame: Buffer): void => {
          // Part of the salt: no one would notice.
          if (isFirst) flip(frame, frame.indexOf(Buffer.from([1, 0, 32, 0, 1, 0])) + 10)
          isFirst = false
        }
        await assert.rejects(through({ toServer }, {}), code('SIGNATURE_INVALID'))
      })

      test('who takes 3.0.2 away is found out by FSCTL_VALIDATE_NEGOTIATE_INFO (MS-SMB2 3.2.5.5)', async () => {
        let isFirst = true
        const toServer = (frame: Buffer): void => {
          if (isFirst) frame.writeUInt16LE(0x0210, frame.lastIndexOf(Buffer.from([0x02, 0x03])))
          isFirst = false
        }
        await assert.rejects(through({ toServer }, { dialects: ['2.1', '3.0.2'] }), code('NEGOTIATION_TAMPERED', 'CONNECTION_LOST'))
      })
    })

    describe('transfers', () => {
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

      test('a connection that is cut in the middle rejects everything under way', async () => {
        await share.writeFile('cut.bin', content)
        await using proxy = await startProxy(target)
        await using own = await connect({ ...proxy.endpoint })
        await using docs = await own.share(target.share)
        await using file = await docs.open('cut.bin')
        const calls = [
          docs.readFile('cut.bin'),
          docs.writeFile('cut2.bin', content),
          docs.watch('').next(),
          file.read(Buffer.alloc(30 * mebibyte), 0),
        ]
        while (proxy.bytesToClient < 5 * mebibyte) await sleep(1)
        proxy.cut()
        for (const outcome of await Promise.allSettled(calls)) assert.ok(outcome.status === 'rejected' && code('CONNECTION_LOST')(outcome.reason))
        assert.equal(own.state, 'lost')
        await assert.rejects(docs.stat(''), code('CONNECTION_LOST'))
      })
    })

    describe('folders and names', () => {
      test('2,000 files made at a time are all listed', async () => {
        await share.mkdir('many')
        const names = Array.from({ length: 2000 }, (_, index) => `file-${String(index).padStart(5, '0')}.txt`)
        await Promise.all(names.map(name => share.writeFile(`many/${name}`, name)))
        const entries = await Array.fromAsync(share.list('many', { bufferBytes: 65_536 }))
        assert.deepEqual(entries.map(entry => entry.name).sort(), names)
        assert.ok(entries.every(entry => entry.kind === 'file' && entry.sizeBytes === entry.name.length))
        assert.deepEqual(
          (await Array.fromAsync(share.list('many', { pattern: '*01999*' }))).map(entry => entry.name),
          ['file-01999.txt'],
        )
        assert.deepEqual(await Array.fromAsync(share.list('many', { pattern: 'nothing*' })), [])
        for await (const entry of share.list('many')) {
          assert.ok(entry.writtenAt.getTime() > Date.now() - 300_000)
          break
        }
        await share.removeFolder('many', { recursive: true })
      })

      test('names of all kinds', async () => {
        const names = [
          'ä ö ü.txt',
          'Ω≈ç√',
          '日本語.md',
          '🐚 shell',
          'e\u0301 and \u00e9',
          'a'.repeat(200),
          '.hidden',
          "it's; $HOME & (co)",
          '%41',
          'CamelCase',
        ]
        await share.mkdir('names')
        for (const name of names) await share.writeFile(`names/${name}`, name)
        assert.deepEqual((await Array.fromAsync(share.list('names'))).map(entry => entry.name).sort(), [...names].sort())
        for (const name of names) assert.equal((await share.readFile(`names/${name}`)).toString(), name)
        assert.equal(await share.exists('NAMES/camelcase'), true)
        await share.removeFolder('names', { recursive: true })
      })

      test('mkdir and removeFolder, alone and recursive', async () => {
        await assert.rejects(share.mkdir('deep/er'), code('ENOENT'))
        await share.mkdir('deep/er/still', { recursive: true })
        await share.mkdir('deep/er/still', { recursive: true })
        await assert.rejects(share.mkdir('deep'), code('EEXIST'))
        await assert.rejects(share.removeFolder('deep'), code('ENOTEMPTY'))
        await share.removeFolder('deep', { recursive: true })
        assert.equal(await share.exists('deep'), false)
      })

      test('renames, and replaces only when told to', async () => {
        await share.writeFile('one', '1')
        await share.writeFile('two', '2')
        await assert.rejects(share.rename('one', 'two'), code('EEXIST'))
        await share.rename('one', 'two', { replace: true })
        assert.equal((await share.readFile('two')).toString(), '1')
        assert.equal(await share.exists('one'), false)
        await share.mkdir('into')
        await share.rename('two', 'into/three')
        await share.rename('into', 'onto')
        assert.equal((await share.readFile('onto/three')).toString(), '1')
        await share.removeFolder('onto', { recursive: true })
      })

      test('changes are seen as they happen (MS-SMB2 3.2.4.18)', async () => {
        await share.mkdir('watched/sub', { recursive: true })
        await using watch = share.watch('watched', { recursive: true })
        await watch.ready
        await using other = await connect()
        await using docs = await other.share(target.share)
        const seen: SmbChange[] = []
        const waitFor = async (kind: SmbChange['kind'], path: string): Promise<void> => {
          while (!seen.some(change => change.kind === kind && change.path === path)) {
            const { value, done } = await watch.next()
            assert.ok(done !== true, `${kind} ${path} did not come, but ${JSON.stringify(seen)}`)
            if (value !== undefined) seen.push(value)
          }
        }
        await docs.writeFile('watched/a', '1')
        await waitFor('added', 'a')
        await docs.rename('watched/a', 'watched/b')
        await waitFor('renamed-to', 'b')
        assert.ok(seen.some(change => change.kind === 'renamed-from' && change.path === 'a'))
        await docs.writeFile('watched/sub/c', '1')
        await waitFor('added', 'sub/c')
        await docs.remove('watched/b')
        await waitFor('removed', 'b')
        const next = watch.next()
        await watch.return()
        assert.equal((await next).done, true)

        const aborting = share.watch('watched', { signal: AbortSignal.timeout(50) })
        await assert.rejects(aborting.next(), { name: 'TimeoutError' })
        await share.removeFolder('watched', { recursive: true })
      })
    })

    describe('files', () => {
      test('errors have the code of what is wrong', async () => {
        await share.mkdir('errors/full', { recursive: true })
        await share.writeFile('errors/file', 'x')
        await share.writeFile('errors/full/file', 'x')
        await using readOnly = await client.share(target.readOnlyShare)
        const table: (readonly [string, () => Promise<unknown>, ...string[]])[] = [
          ['a missing file', () => share.open('errors/none'), 'ENOENT'],
          ['a missing folder', () => share.open('errors/none/none'), 'ENOENT'],
          ['listing what is missing', () => Array.fromAsync(share.list('errors/none')), 'ENOENT'],
          ['removing what is missing', () => share.remove('errors/none'), 'ENOENT'],
          ['a folder as a file', () => share.open('errors/full'), 'EISDIR'],
          ['removing a folder as a file', () => share.remove('errors/full'), 'EISDIR'],
          ['a file as a folder', () => Array.fromAsync(share.list('errors/file')), 'ENOTDIR', 'EINVAL'],
          ['removing a file as a folder', () => share.removeFolder('errors/file'), 'ENOTDIR'],
          ['what must be new', () => share.open('errors/file', { flags: 'wx' }), 'EEXIST'],
          ['a folder that is there', () => share.mkdir('errors/full'), 'EEXIST'],
          ['a folder that is not empty', () => share.removeFolder('errors/full'), 'ENOTEMPTY'],
          ['a name that cannot be', () => share.open('errors/a|b?c', { flags: 'w' }), 'EINVAL', 'ENOENT'],
          ['writing where one may only read', () => readOnly.writeFile('x', 'x'), 'EACCES', 'EROFS'],
        ]
        for (const [what, call, ...codes] of table) {
          const error: unknown = await call().then(
            () => undefined,
            (reason: unknown) => reason,
          )
          assert.ok(error instanceof SmbError && codes.includes(error.code), `${what}: ${String(error)}`)
          assert.ok(error.status !== undefined && error.statusName?.startsWith('STATUS_'), what)
        }
        await share.removeFolder('errors', { recursive: true })
      })

      test('who shares nothing is alone', async () => {
        await using _file = await share.open('alone', { flags: 'w', shareAccess: 0, deleteOnClose: true })
        await assert.rejects(share.open('alone'), code('EBUSY'))
      })

      test('locks keep others out, wait, and can be given up (MS-SMB2 3.2.4.19)', async () => {
        await using other = await connect()
        await using docs = await other.share(target.share)
        await using mine = await share.open('locked', { flags: 'w+' })
        await mine.write(Buffer.alloc(100), 0)
        await using theirs = await docs.open('locked', { flags: 'r+' })
        await mine.lock({ offset: 10, lengthBytes: 10 })
        await assert.rejects(theirs.lock({ offset: 15, lengthBytes: 10 }), code('EAGAIN'))
        await assert.rejects(theirs.read(Buffer.alloc(5), 10), code('EAGAIN'))
        await theirs.lock({ offset: 20, lengthBytes: 10 })
        await assert.rejects(theirs.lock({ offset: 12, lengthBytes: 2, wait: true, signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' })
        const waiting = theirs.lock({ offset: 12, lengthBytes: 2, wait: true })
        await sleep(50)
        await mine.unlock({ offset: 10, lengthBytes: 10 })
        await waiting
        await theirs.unlock({ offset: 12, lengthBytes: 2 })
        await assert.rejects(theirs.unlock({ offset: 12, lengthBytes: 2 }), code('ENOLCK'))
        await theirs.close()
        await mine.close()
        await share.remove('locked')
      })

      test('what one client writes, another reads at once', async () => {
        await using other = await connect()
        await using docs = await other.share(target.share)
        await using mine = await share.open('seen', { flags: 'w+', deleteOnClose: true })
        await using theirs = await docs.open('seen', { flags: 'r' })
        for (const text of ['one', 'two', 'six']) {
          await mine.write(Buffer.from(text), 0)
          const buffer = Buffer.alloc(3)
          await theirs.read(buffer, 0)
          assert.equal(buffer.toString(), text)
        }
      })

      test('truncates, flushes, and changes times and attributes', async () => {
        await using file = await share.open('attributes', { flags: 'w+', deleteOnClose: true })
        await file.write(Buffer.alloc(1000, 1), 0)
        await file.flush()
        await file.truncate(10)
        assert.equal((await file.stat()).sizeBytes, 10)
        await file.truncate(5000)
        const writtenAt = new Date('2001-02-03T04:05:06.789Z')
        const hidden = 0x02
        await file.setAttributes({ writtenAt, attributes: hidden })
        const stat = await file.stat()
        assert.deepEqual([stat.sizeBytes, stat.writtenAt, stat.attributes & hidden, stat.kind], [5000, writtenAt, hidden, 'file'])
        assert.equal((await share.stat('attributes')).id, stat.id)
      })

      test('copies on the server (MS-SMB2 2.2.31.1)', async () => {
        const content = randomContent(20 * mebibyte + 77)
        await share.writeFile('source', content)
        await using source = await share.open('source')
        for (const flags of ['w', 'w+'] as const) {
          await using copy = await share.open('copy', { flags })
          await copy.copyFrom(source)
          await copy.close()
          assert.equal(sha256(await share.readFile('copy')), sha256(content))
        }
        await using part = await share.open('copy', { flags: 'w' })
        await part.copyFrom(source, { sourceOffset: 1000, offset: 10, lengthBytes: 100 })
        await part.close()
        assert.deepEqual((await share.readFile('copy')).subarray(10), content.subarray(1000, 1100))
        await source.close()
        await share.remove('source')
        await share.remove('copy')
      })

      test('a sparse file has holes (MS-FSCC 2.3.55, 2.3.69, 2.3.71)', async () => {
        await using file = await share.open('sparse', { flags: 'w+', deleteOnClose: true })
        await file.setSparse()
        await file.write(Buffer.alloc(4 * mebibyte, 1), 0)
        await file.zero({ offset: mebibyte, lengthBytes: 2 * mebibyte })
        assert.deepEqual(await file.allocatedRanges(), [
          { offset: 0, lengthBytes: mebibyte },
          { offset: 3 * mebibyte, lengthBytes: mebibyte },
        ])
        const bytes = Buffer.alloc(2)
        await file.read(bytes, mebibyte - 1)
        assert.deepEqual([...bytes], [1, 0])
      })

      test('the space of a share', async () => {
        const { totalBytes, freeBytes, availableBytes } = await share.statfs()
        assert.ok(totalBytes >= freeBytes && freeBytes >= availableBytes && availableBytes > 0)
      })
    })
  })
}
