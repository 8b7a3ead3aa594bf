import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import * as posix from './index.ts'

const { errno } = posix
const supported = posix.unsupportedReason === undefined

describe('posix', { skip: supported ? false : posix.unsupportedReason! }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'posix-test-'))
  const rootFd = supported ? posix.openAt(posix.AT_FDCWD, folder, posix.O_PATH | posix.O_DIRECTORY) : -1
  const beneath = posix.RESOLVE_BENEATH | posix.RESOLVE_NO_MAGICLINKS
  const stat = new posix.StatBuffer()
  after(() => {
    posix.close(rootFd)
    fs.rmSync(folder, { recursive: true })
  })
  const create = (name: string): number => posix.orThrow(posix.openAt2(rootFd, name, posix.O_RDWR | posix.O_CREAT, 0o666, beneath), 'openat2')

  test('errors have a number and a name', () => {
    assert.equal(posix.openAt2(rootFd, 'nothing', posix.O_RDONLY, 0, beneath), -errno.ENOENT)
    assert.throws(() => posix.orThrow(-errno.ENOENT, 'openat2'), { name: 'PosixError', code: 'ENOENT', errno: errno.ENOENT, call: 'openat2' })
    assert.throws(() => posix.openAt2(rootFd, 'a\0b', 0, 0, 0), { code: 'EINVAL' })
    assert.equal(posix.openAt2(rootFd, 'x/'.repeat(9000), 0, 0, beneath), -errno.ENAMETOOLONG)
  })

  test('openat2 stays beneath its folder: .., absolute links and magic links are refused (openat2(2))', () => {
    fs.symlinkSync('/etc/passwd', path.join(folder, 'absolute'))
    fs.symlinkSync('../../../../../../etc/passwd', path.join(folder, 'upwards'))
    for (const name of ['../x', '/etc/passwd', 'absolute', 'upwards']) assert.equal(posix.openAt2(rootFd, name, 0, 0, beneath), -errno.EXDEV, name)
    fs.symlinkSync('/', path.join(folder, 'slash'))
    const inRoot = posix.openAt2(rootFd, 'slash', posix.O_PATH, 0, posix.RESOLVE_IN_ROOT)
    assert.equal(posix.statFd(inRoot, stat), 0)
    const inode = stat.inode
    posix.statFd(rootFd, stat)
    assert.equal(inode, stat.inode)
    posix.close(inRoot)
  })

  test('statx agrees with fs.stat', () => {
    const fd = create('stat')
    posix.pwrite(fd, Buffer.alloc(5000), 0)
    posix.setTimes(fd, { seconds: 1_000_000_000, nanoseconds: 123_456_700 }, { seconds: -5, nanoseconds: 100 })
    assert.equal(posix.statFd(fd, stat), 0)
    const expected = fs.statSync(path.join(folder, 'stat'), { bigint: true })
    assert.equal(stat.inode, expected.ino)
    assert.equal(BigInt(stat.mode), expected.mode)
    assert.equal(BigInt(stat.blocks), expected.blocks)
    assert.deepEqual([stat.sizeBytes, stat.links, stat.isRegular, stat.isFolder], [5000, 1, true, false])
    assert.equal(stat.seconds(posix.statTime.accessed), 1_000_000_000)
    assert.equal(stat.nanoseconds(posix.statTime.accessed), 123_456_700)
    assert.equal(stat.seconds(posix.statTime.modified), -5)
    assert.equal(BigInt(stat.seconds(posix.statTime.created)), expected.birthtimeNs / 1_000_000_000n)
    const other = new posix.StatBuffer()
    assert.equal(posix.statAt(rootFd, 'stat', posix.AT_SYMLINK_NOFOLLOW, other), 0)
    assert.ok(stat.sameFile(other))
    assert.equal(stat.key, other.key)
    posix.close(fd)
  })

  test('reads and writes at offsets, over shared memory and above 4 GiB', async () => {
    const fd = create('io')
    const shared = new Uint8Array(new SharedArrayBuffer(64), 16, 11)
    Buffer.from('hello world').copy(shared)
    assert.equal(posix.pwrite(fd, shared, 5_000_000_000), 11)
    const target = new Uint8Array(new SharedArrayBuffer(64), 8, 20)
    assert.equal(posix.pread(fd, target, 5_000_000_000), 11)
    assert.equal(Buffer.from(target.slice(0, 11)).toString(), 'hello world')
    const cached = posix.preadFlags(fd, target, 5_000_000_000, posix.RWF_NOWAIT)
    assert.ok(cached === 11 || cached === -errno.EAGAIN || cached === -errno.EOPNOTSUPP)
    const synced = await posix.pwriteFlagsAsync(fd, Buffer.from('12345'), 0, posix.RWF_DSYNC)
    assert.equal(synced, 5)
    assert.equal(await posix.preadAsync(fd, target.subarray(0, 5), 0), 5)
    assert.equal(Buffer.from(target.slice(0, 5)).toString(), '12345')
    assert.equal(posix.lseek(fd, 4096, posix.SEEK_DATA) > 4096, true)
    assert.equal(posix.lseek(fd, 5_000_000_011, posix.SEEK_DATA), -errno.ENXIO)
    assert.equal(posix.ftruncate(fd, 3), 0)
    posix.statFd(fd, stat)
    assert.equal(stat.sizeBytes, 3)
    assert.equal(await posix.fsyncAsync(fd), 0)
    posix.close(fd)
  })

  test('asynchronous calls report their own errno, also a thousand at a time', async () => {
    const results = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => (i % 2 ? posix.fsyncAsync(-1) : posix.pwriteAsync(-1, Buffer.alloc(1), 0))),
    )
    assert.ok(results.every(result => result === -errno.EBADF))
  })

  test('fallocate reserves without growing, copy_file_range copies', async () => {
    const source = create('source')
    const target = create('target')
    posix.pwrite(source, Buffer.from('0123456789'), 0)
    assert.equal(posix.fallocate(target, posix.FALLOC_FL_KEEP_SIZE, 0, 65536), 0)
    posix.statFd(target, stat)
    assert.deepEqual([stat.sizeBytes, stat.blocks >= 128], [0, true])
    const range = { sourceFd: source, sourceOffset: 2, targetFd: target, targetOffset: 1, lengthBytes: 5 }
    assert.equal(posix.copyFileRange(range), 5)
    assert.equal(await posix.copyFileRangeAsync({ ...range, sourceOffset: 8, targetOffset: 6 }), 2)
    assert.equal(fs.readFileSync(path.join(folder, 'target'), 'latin1'), '\x002345689')
    const cloned = posix.cloneFileRange({ ...range, lengthBytes: 4096 })
    assert.ok(cloned < 0)
    posix.close(source)
    posix.close(target)
  })

  test('extended attributes by descriptor, by O_PATH descriptor and by name', t => {
    const fd = create('attributes')
    if (posix.setXattr(fd, 'user.test', Buffer.from('value')) === -errno.EOPNOTSUPP) return t.skip('no user attributes here')
    const value = Buffer.alloc(16)
    assert.equal(posix.getXattr(fd, 'user.test', value), 5)
    assert.equal(value.toString('latin1', 0, 5), 'value')
    assert.equal(posix.getXattr(fd, 'user.test', Buffer.alloc(0)), 5)
    assert.equal(posix.getXattr(fd, 'user.test', Buffer.alloc(2)), -errno.ERANGE)
    assert.equal(posix.getXattr(fd, 'user.none', value), -errno.ENODATA)
    const names = Buffer.alloc(256)
    const listed = names.toString('latin1', 0, posix.listXattr(fd, names))
    assert.ok(listed.split('\0').includes('user.test'))
    assert.equal(posix.listXattrAt(rootFd, 'attributes', names), listed.length)
    assert.equal(posix.getXattrAt(rootFd, 'attributes', 'user.test', value), 5)
    const pathFd = posix.openAt(rootFd, 'attributes', posix.O_PATH)
    assert.equal(posix.pathXattr.get(pathFd, 'user.test', value), 5)
    assert.equal(posix.pathXattr.set(pathFd, 'user.more', Buffer.from('x')), 0)
    assert.equal(posix.pathXattr.remove(pathFd, 'user.test'), 0)
    assert.equal(posix.removeXattr(fd, 'user.test'), -errno.ENODATA)
    posix.close(pathFd)
    posix.close(fd)
  })

  test('names: mkdir, rename without and with replacing, link, symlink, unlink', () => {
    assert.equal(posix.mkdirAt(rootFd, 'names', 0o777), 0)
    const names = posix.openAt(rootFd, 'names', posix.O_RDONLY | posix.O_DIRECTORY)
    const fd = posix.openAt(names, 'a', posix.O_RDWR | posix.O_CREAT, 0o666)
    assert.equal(posix.linkFdAt(fd, names, 'b'), 0)
    assert.equal(posix.renameAt2(names, 'a', names, 'b', posix.RENAME_NOREPLACE), -errno.EEXIST)
    assert.equal(posix.renameAt2(names, 'a', names, 'c', posix.RENAME_NOREPLACE), 0)
    assert.equal(posix.symlinkAt('c', names, 'link'), 0)
    assert.equal(posix.readLinkAt(names, 'link').toString(), 'c')
    const found: string[] = []
    assert.equal(
      posix.readFolder(names, (bytes, start, end, type) => found.push(`${bytes.toString('utf8', start, end)} ${type}`)),
      3,
    )
    assert.deepEqual(found.sort(), ['b 8', 'c 8', 'link 10'])
    for (const name of ['b', 'c', 'link']) assert.equal(posix.unlinkAt(names, name), 0)
    assert.equal(posix.unlinkAt(rootFd, 'names'), -errno.EISDIR)
    assert.equal(posix.unlinkAt(rootFd, 'names', posix.AT_REMOVEDIR), 0)
    posix.close(fd)
    posix.close(names)
  })

  test('statfs agrees with df', () => {
    const result = posix.statFilesystem(rootFd)
    assert.ok(typeof result !== 'number')
    const expected = fs.statfsSync(folder)
    assert.deepEqual([result.type, result.totalUnits, result.maxNameLength], [expected.type, expected.blocks, 255])
  })

  test('inotify reports what happened in a folder and never blocks (inotify(7))', () => {
    using inotify = new posix.Inotify()
    const watch = inotify.add(folder, posix.IN_CREATE | posix.IN_DELETE | posix.IN_ONLYDIR)
    assert.ok(watch > 0)
    assert.equal(
      inotify.drain(() => assert.fail()),
      0,
    )
    fs.writeFileSync(path.join(folder, 'grüße'), '')
    fs.rmSync(path.join(folder, 'grüße'))
    const events: unknown[] = []
    inotify.drain((wd, mask, _cookie, bytes, start, end) => events.push([wd, mask, bytes.toString('utf8', start, end)]))
    assert.deepEqual(events, [
      [watch, posix.IN_CREATE, 'grüße'],
      [watch, posix.IN_DELETE, 'grüße'],
    ])
    assert.equal(inotify.add(path.join(folder, 'nothing'), posix.IN_CREATE), -errno.ENOENT)
  })

  test('without koffi or Linux, importing works and calling says why', () => {
    const script = `Object.defineProperty(process, 'platform', { value: 'aix' })
      const posix = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)})
      try { posix.close(0) } catch (error) { console.log(error.code, posix.unsupportedReason) }`
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    assert.equal(output.trim(), 'UNSUPPORTED_PLATFORM this is aix, not Linux')
  })
})
