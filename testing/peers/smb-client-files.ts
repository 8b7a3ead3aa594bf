/** Folders, names and what can be done with an open file, against any server. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SmbError } from '@holdfast/smb/client'
import type { SmbChange, SmbClient, SmbShare } from '@holdfast/smb/client'
import { randomContent } from './folder.ts'
import { code, mebibyte, sha256 } from './smb-client-target.ts'
import type { Context, Target } from './smb-client-target.ts'

/** Folders. */
export function folderTests(context: () => Context): void {
  describe('folders and names', () => {
    let target: Target
    let share: SmbShare
    let connect: Context['connect']
    before(() => {
      ;({ target, share, connect } = context())
    })

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
}

/** Open files. */
export function fileTests(context: () => Context): void {
  describe('files', () => {
    let target: Target
    let client: SmbClient
    let share: SmbShare
    let connect: Context['connect']
    before(() => {
      ;({ target, client, share, connect } = context())
    })

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
}
