import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { unsupportedReason } from '@holdfast/posix'
import type { CreateOptions, ExternalChange, FileHandle, FolderEntry } from '../filesystem.ts'
import { directory } from './directory.ts'

const readOnly = { read: true, write: false }
const readWrite = { read: true, write: true }
const makeFile: CreateOptions = { folder: false, attributes: 0x20, access: readWrite }
const makeFolder: CreateOptions = { ...makeFile, folder: true, attributes: 0 }

describe('directory filesystem', { skip: unsupportedReason ?? false }, () => {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-directory-'))
  after(() => fs.rmSync(parent, { recursive: true }))
  let count = 0
  /** A served folder of its own, beside a secret that is outside of it. */
  const served = (): { root: string; files: ReturnType<typeof directory>; [Symbol.dispose](): void } => {
    const base = path.join(parent, `${++count}`)
    const root = path.join(base, 'root')
    fs.mkdirSync(root, { recursive: true })
    fs.writeFileSync(path.join(base, 'secret'), 'secret')
    const files = directory(root)
    return { root, files, [Symbol.dispose]: () => files.close() }
  }
  const text = (handle: FileHandle): string => {
    const target = Buffer.alloc(64)
    return target.toString('utf8', 0, handle.read(target, 0) as number)
  }

  test('a file bears its creation token from the moment it has a name, and another one of that name is not made', () => {
    using s = served()
    const made = s.files.create('new', '', { ...makeFile, creationToken: 'c0ffee' })
    assert.equal(made.creationToken?.(), 'c0ffee')
    void made.write(Buffer.from('content'), 0)
    made.close()
    assert.equal(fs.readFileSync(path.join(s.root, 'new'), 'utf8'), 'content')
    assert.throws(() => s.files.create('new', '', { ...makeFile, creationToken: 'other' }), { code: 'exists' })
    const again = s.files.open('new', '', readOnly)
    assert.equal(again.creationToken?.(), 'c0ffee')
    assert.deepEqual(again.extendedAttributes(), [])
    again.close()
    const plain = s.files.create('plain', '', makeFile)
    assert.equal(plain.creationToken?.(), undefined)
    plain.close()
  })

  test('serving what is not a folder fails', () => {
    assert.throws(() => directory(path.join(parent, 'nothing')), { name: 'FsError', code: 'not-found' })
    const { root } = served()
    fs.writeFileSync(path.join(root, 'file'), '')
    assert.throws(() => directory(path.join(root, 'file')), { code: 'not-folder' })
  })

  test('a link that a client made is shown as one and stops who asks for that; those of others are followed', () => {
    using s = served()
    fs.writeFileSync(path.join(s.root, 'file'), 'content')
    const stop = { ...readOnly, stopAtLink: true }
    for (const [name, target] of [
      ['relative', 'file'],
      ['up', '../x'],
      ['absolute', '/abs/olute'],
      ['nowhere', 'nothing'],
    ] as const) {
      s.files.symlink(name, target, { shown: true })
      assert.throws(() => s.files.open(name, '', stop), { code: 'symlink' }, name)
      assert.throws(() => s.files.open(name.toUpperCase(), '', stop), { code: 'symlink' }, name)
      using link = { handle: s.files.open(name, '', { ...stop, noFollow: true }), [Symbol.dispose]: () => link.handle.close() }
      assert.equal(link.handle.readLink(), target)
    }
    assert.equal(fs.readFileSync(path.join(s.root, 'relative'), 'utf8'), 'content', 'the mark means nothing to others')
    fs.symlinkSync('file', path.join(s.root, 'local'))
    fs.symlinkSync('nothing', path.join(s.root, 'dangling'))
    assert.equal(text(s.files.open('local', '', stop)), 'content')
    assert.equal(text(s.files.open('LOCAL', '', stop)), 'content')
    assert.throws(() => s.files.open('dangling', '', stop), { code: 'symlink' })
    assert.throws(() => s.files.open('missing', '', stop), { code: 'not-found' })
    const kinds = [...(s.files.open('', '', readOnly).entries() as Iterable<FolderEntry>)].map(entry => `${entry.name} ${entry.kind}`).toSorted()
    assert.deepEqual(kinds, ['absolute symlink', 'dangling symlink', 'file file', 'local file', 'nowhere symlink', 'relative symlink', 'up symlink'])
  })

  test('no path leads out: links to files, to folders, through several, and in create, rename and watch', () => {
    using s = served()
    fs.symlinkSync('../secret', path.join(s.root, 'file'))
    fs.symlinkSync('..', path.join(s.root, 'folder'))
    fs.symlinkSync('folder', path.join(s.root, 'indirect'))
    fs.symlinkSync('/proc/self/root', path.join(s.root, 'magic'))
    fs.writeFileSync(path.join(s.root, 'inside'), '')
    const inside = s.files.open('inside', '', readWrite)
    for (const name of ['file', 'folder', 'folder/secret', 'indirect/secret', 'magic/etc/passwd', 'FILE', 'Folder/SECRET']) {
      assert.throws(() => s.files.open(name, '', readOnly), { code: 'escapes' }, name)
    }
    for (const name of ['folder/new', 'indirect/new', 'magic/tmp/new']) {
      assert.throws(() => s.files.create(name, '', makeFile), { code: 'escapes' })
      assert.throws(() => inside.rename({ path: name }, { replace: false }), { code: 'escapes' })
      assert.throws(() => inside.link(name, { replace: false }), { code: 'escapes' })
      assert.throws(() => s.files.symlink(name, 'x'), { code: 'escapes' })
    }
    assert.throws(() => s.files.watch('folder', { recursive: true }, () => {}), { code: 'escapes' })
    assert.throws(() => s.files.stat('folder/secret'), { code: 'escapes' })
    assert.deepEqual(fs.readdirSync(path.dirname(s.root)).sort(), ['root', 'secret'])
  })

  test('a folder that is exchanged for a link out, over and over, never leads out', async () => {
    using s = served()
    const outside = path.join(path.dirname(s.root), 'outside')
    fs.mkdirSync(outside)
    fs.writeFileSync(path.join(outside, 'name'), 'outside')
    fs.mkdirSync(path.join(s.root, 'd'))
    fs.writeFileSync(path.join(s.root, 'd', 'name'), 'inside')
    fs.symlinkSync(outside, path.join(s.root, 'l'))
    const script = `const fs = require('node:fs'); const root = ${JSON.stringify(s.root)}; const end = Date.now() + 700
      while (Date.now() < end) { fs.renameSync(root + '/d', root + '/x'); fs.renameSync(root + '/l', root + '/d'); fs.renameSync(root + '/d', root + '/l'); fs.renameSync(root + '/x', root + '/d') }`
    const exchanger = new Worker(script, { eval: true })
    let running = true
    const exited = new Promise(resolve => exchanger.once('exit', resolve)).then(() => (running = false))
    const outcomes = new Map<string, number>()
    for (let i = 0; running; i++) {
      let outcome: string
      try {
        const handle = s.files.open('d/name', '', readOnly)
        outcome = text(handle)
        handle.close()
        s.files.create(`d/new-${i}`, '', makeFile).close()
      } catch (error) {
        outcome = (error as { code: string }).code
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      if (i % 50 === 0) await new Promise(setImmediate)
    }
    await exited
    assert.ok((outcomes.get('inside') ?? 0) > 0)
    assert.equal(outcomes.get('outside'), undefined)
    assert.deepEqual(fs.readdirSync(outside), ['name'])
    for (const outcome of outcomes.keys()) assert.ok(['inside', 'escapes', 'path-not-found', 'not-found', 'busy'].includes(outcome), outcome)
  })

  test('a folder that others make and remove, over and over, is there or is not, and never taken for a link', async () => {
    using s = served()
    const script = `const fs = require('node:fs'); const folder = ${JSON.stringify(path.join(s.root, 'd'))}; const end = Date.now() + 700
      while (Date.now() < end) { fs.mkdirSync(folder); fs.rmdirSync(folder) }`
    const maker = new Worker(script, { eval: true })
    let running = true
    const exited = new Promise(resolve => maker.once('exit', resolve)).then(() => (running = false))
    const outcomes = new Set<string>()
    for (let i = 0; running; i++) {
      try {
        s.files.open('d', '', { ...readOnly, stopAtLink: true }).close()
        outcomes.add('opened')
      } catch (error) {
        outcomes.add((error as { code: string }).code)
      }
      if (i % 50 === 0) await new Promise(setImmediate)
    }
    await exited
    assert.deepEqual([...outcomes].toSorted(), ['not-found', 'opened'])
  })

  test('of several names that differ in case only, the exact one is meant', () => {
    using s = served()
    for (const name of ['name', 'Name', 'NAME']) fs.writeFileSync(path.join(s.root, name), name)
    for (const name of ['name', 'Name', 'NAME']) assert.equal(text(s.files.open(name, '', readOnly)), name)
    assert.ok(['name', 'Name', 'NAME'].includes(text(s.files.open('nAmE', '', readOnly))))
    fs.rmSync(path.join(s.root, 'name'))
    fs.rmSync(path.join(s.root, 'Name'))
    assert.equal(text(s.files.open('nAmE', '', readOnly)), 'NAME')
  })

  test('a folder of many names is read once for any number of lookups and creates', () => {
    using s = served()
    for (let i = 0; i < 3000; i++) fs.writeFileSync(path.join(s.root, `Existing-${i}`), '')
    for (let i = 0; i < 3000; i++) {
      assert.equal(s.files.stat(`EXISTING-${i}`)?.name, `Existing-${i}`)
      assert.equal(s.files.stat(`missing-${i}`), undefined)
      s.files.create(`New-${i}`, '', makeFile).close()
      if (i % 3 === 0) fs.rmSync(path.join(s.root, `Existing-${i}`))
      if (i % 5 === 0) fs.renameSync(path.join(s.root, `New-${i}`), path.join(s.root, `Moved-${i}`))
    }
    for (let i = 0; i < 3000; i++) {
      assert.equal(s.files.stat(`eXISTING-${i}`)?.name, i % 3 === 0 ? undefined : `Existing-${i}`)
      assert.equal(s.files.stat(`nEW-${i}`)?.name, i % 5 === 0 ? undefined : `New-${i}`)
      assert.equal(s.files.stat(`mOVED-${i}`)?.name, i % 5 === 0 ? `Moved-${i}` : undefined)
    }
    assert.ok(s.files.statistics.indexBuilds <= 2, `${s.files.statistics.indexBuilds}`)
  })

  test('events that were lost (queue overflow) only cost another reading', () => {
    using s = served()
    s.files.stat('MISSING')
    for (let i = 0; i < 17_000; i++) fs.writeFileSync(path.join(s.root, `f${i}`), '')
    assert.equal(s.files.stat('F16999')?.name, 'f16999')
    assert.equal(s.files.stat('F1')?.name, 'f1')
  })

  test('indexes are bounded in number', () => {
    using s = served()
    const files = directory(s.root, { maxIndexedFolders: 10 })
    for (let i = 0; i < 50; i++) files.create(`d${i}`, '', makeFolder).close()
    for (let i = 0; i < 50; i++) files.create(`d${i}/File`, '', makeFile).close()
    for (let i = 0; i < 50; i++) assert.equal(files.stat(`D${i}/FILE`)?.name, 'File')
    assert.ok(files.statistics.indexedFolders <= 10)
    files.close()
  })

  test('names of others that SMB cannot carry are shown mapped, and can be opened, renamed and removed', () => {
    using s = served()
    const onDisk = [Buffer.from('a:b*'), Buffer.from('trailing.'), Buffer.from([0x66, 0xff, 0xfe]), Buffer.from('back\\slash'), Buffer.from('\uf022')]
    for (const name of onDisk) fs.writeFileSync(Buffer.concat([Buffer.from(`${s.root}/`), name]), name)
    const shown = s.files.open('', '', readOnly).entryNames()
    assert.equal(shown.length, onDisk.length)
    for (const name of shown) {
      assert.doesNotMatch(name, /[\x00-\x1f"*/:<>?\\|]|[ .]$/)
      const handle = s.files.open(name, '', readOnly)
      const content = Buffer.alloc(32)
      const length = handle.read(content, 0) as number
      assert.ok(onDisk.some(bytes => bytes.equals(content.subarray(0, length))))
      assert.equal(handle.info().name, name)
      handle.remove()
      handle.close()
    }
    assert.deepEqual(fs.readdirSync(s.root), [])
  })

  test('extended attributes are user. attributes to others, without what is ours or Samba’s', t => {
    using s = served()
    if (!s.files.features.extendedAttributes) return t.skip('no user attributes here')
    const handle = s.files.create('f', '', makeFile)
    void handle.setExtendedAttributes([{ name: 'Mine', value: Buffer.from('1'), flags: 0 }])
    for (const name of ['holdfast.dos', 'DOSATTRIB']) {
      assert.throws(() => handle.setExtendedAttributes([{ name, value: Buffer.from('1'), flags: 0 }]), { code: 'access-denied' })
    }
    try {
      execFileSync('setfattr', ['-n', 'user.theirs', '-v', 'x', path.join(s.root, 'f')])
      const listed = execFileSync('getfattr', ['--absolute-names', path.join(s.root, 'f')], { encoding: 'utf8' })
      assert.match(listed, /user\.Mine/)
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOENT') return t.skip('no setfattr here')
      throw error
    }
    assert.deepEqual(
      handle
        .extendedAttributes()
        .map(({ name }) => name)
        .sort(),
      ['Mine', 'theirs'],
    )
  })

  test('a copy made with its attributes does not share streams, and deleting it keeps them', t => {
    using s = served()
    if (!s.files.features.namedStreams) return t.skip('no user attributes here')
    s.files.create('f', '', makeFile).close()
    const stream = s.files.create('f', 's', makeFile)
    void stream.write(Buffer.from('kept'), 0)
    execFileSync('cp', ['-a', path.join(s.root, 'f'), path.join(s.root, 'copy')])
    const copy = s.files.open('copy', '', readWrite)
    assert.deepEqual(
      copy.streams().map(({ name }) => name),
      [''],
    )
    void s.files.create('copy', 'own', makeFile).write(Buffer.from('own'), 0)
    assert.deepEqual(
      copy.streams().map(({ name }) => name),
      ['', 'own'],
    )
    copy.remove()
    assert.equal(text(s.files.open('f', 's', readOnly)), 'kept')
  })

  test('deleting the last file with streams leaves nothing but empty folders behind', t => {
    using s = served()
    if (!s.files.features.namedStreams) return t.skip('no user attributes here')
    const handle = s.files.create('f', '', { ...makeFile, security: Buffer.alloc(10_000) })
    s.files.create('f', 's', makeFile).close()
    handle.remove()
    const hidden = path.join(s.root, '.holdfast-streams')
    for (const shard of fs.readdirSync(hidden)) assert.deepEqual(fs.readdirSync(path.join(hidden, shard)), [])
    fs.rmSync(hidden, { recursive: true })
    s.files.create('g', '', makeFile).close()
    void s.files.create('g', 's', makeFile).write(Buffer.from('again'), 0)
    assert.equal(text(s.files.open('g', 's', readOnly)), 'again')
  })

  test('neither links nor names lead into the folder of streams', () => {
    using s = served()
    assert.throws(() => s.files.symlink('link', './.Holdfast-Streams/..'), { code: 'access-denied' })
    assert.throws(() => s.files.create('.HOLDFAST-STREAMS', '', makeFolder), { code: 'access-denied' })
    const handle = s.files.create('f', '', makeFile)
    assert.throws(() => handle.rename({ path: '.holdfast-streams/x' }, { replace: true }), { code: 'access-denied' })
    assert.throws(() => s.files.stat('.holdfast-streams/../f'), { code: 'invalid-name' })
  })

  test('watch reports what others change and not what we do', async () => {
    using s = served()
    fs.mkdirSync(path.join(s.root, 'sub'))
    const seen: string[] = []
    const note = ({ folder, action, name }: ExternalChange): void => void seen.push(`${action} ${folder}/${name}`)
    const watching = s.files.watch('SUB', { recursive: false }, note)
    const ours = s.files.create('sub/ours', '', makeFile)
    await ours.write(Buffer.from('x'), 0)
    await ours.setInfo({ attributes: 2, writtenAt: 132_000_000_000_000_000n })
    await ours.rename({ path: 'sub/ours2' }, { replace: false })
    ours.remove()
    ours.close()
    s.files.pollChanges()
    assert.deepEqual(seen, [])
    const theirs = path.join(s.root, 'sub', 'theirs')
    fs.writeFileSync(theirs, 'x')
    fs.chmodSync(theirs, 0o600)
    fs.renameSync(theirs, `${theirs}2`)
    s.files.create('sub/between', '', makeFile).close()
    fs.renameSync(`${theirs}2`, path.join(s.root, 'elsewhere'))
    fs.mkdirSync(path.join(s.root, 'sub', 'deep'))
    fs.writeFileSync(path.join(s.root, 'sub', 'deep', 'unseen'), '')
    await new Promise(resolve => setTimeout(resolve, 120))
    assert.deepEqual(seen, [
      'added sub/theirs',
      'modified sub/theirs',
      'metadata sub/theirs',
      'renamed-from sub/theirs',
      'renamed-to sub/theirs2',
      'removed sub/theirs2',
      'added sub/deep',
    ])
    watching[Symbol.dispose]()
    seen.length = 0
    fs.writeFileSync(theirs, 'x')
    s.files.pollChanges()
    assert.deepEqual(seen, [])
  })

  test('a recursive watch follows new, moved and removed folders', () => {
    using s = served()
    fs.mkdirSync(path.join(s.root, 'a', 'b'), { recursive: true })
    const seen: string[] = []
    using _watching = s.files.watch('', { recursive: true }, ({ folder, action, name }) => void seen.push(`${action} ${folder}/${name}`))
    const at = (...names: string[]): string => path.join(s.root, ...names)
    const step = (...expected: string[]): void => {
      s.files.pollChanges()
      assert.deepEqual(seen.splice(0), expected)
    }
    fs.writeFileSync(at('a', 'b', 'f'), '')
    step('added a/b/f')
    fs.mkdirSync(at('n'))
    fs.writeFileSync(at('n', 'early'), '')
    s.files.pollChanges()
    assert.ok(seen.includes('added /n') && seen.includes('added n/early'), seen.join())
    seen.length = 0
    s.files.create('n/ours', '', makeFolder).close()
    step()
    fs.writeFileSync(at('n', 'ours', 'f'), '')
    step('added n/ours/f')
    fs.renameSync(at('a'), at('moved'))
    s.files.pollChanges()
    seen.length = 0
    fs.rmSync(at('moved', 'b', 'f'))
    step('removed moved/b/f')
    fs.rmSync(at('moved'), { recursive: true })
    s.files.pollChanges()
    assert.ok(seen.includes('removed /moved'))
    seen.length = 0
    s.files.create('a', '', makeFile).close()
    s.files.create('a', 'stream', makeFile).close()
    step()
  })

  test('asynchronous writes are ours too', async () => {
    using s = served()
    const seen: unknown[] = []
    using _watching = s.files.watch('', { recursive: false }, change => void seen.push(change))
    const handle = s.files.create('f', '', { ...makeFile, access: { ...readWrite, writeThrough: true } })
    await handle.write(Buffer.alloc(100_000), 0)
    await handle.flush()
    s.files.pollChanges()
    assert.deepEqual(seen, [])
  })

  test('a root that is deleted makes everything stale, and crashes nothing', () => {
    using s = served()
    const handle = s.files.create('f', '', makeFile)
    fs.rmSync(s.root, { recursive: true })
    assert.throws(() => s.files.open('f', '', readOnly), { code: 'stale' })
    assert.throws(() => s.files.create('new', '', makeFile), { code: 'stale' })
    assert.throws(() => s.files.create('new', '', makeFolder), { code: 'stale' })
    assert.throws(() => s.files.open('a/b', '', readOnly), { code: 'stale' })
    assert.throws(() => s.files.stat('f'), { code: 'stale' })
    assert.throws(() => handle.remove(), { code: 'stale' })
    void handle.write(Buffer.from('x'), 0)
    assert.equal(text(handle), 'x')
    assert.ok(s.files.volume().totalUnits > 0)
    const root = s.files.open('', '', readOnly)
    assert.throws(() => root.entries(), { code: 'stale' })
  })

  test('a folder that is deleted while it is listed is just empty', () => {
    using s = served()
    s.files.create('d', '', makeFolder).close()
    s.files.create('d/f', '', makeFile).close()
    const handle = s.files.open('d', '', readOnly)
    fs.rmSync(path.join(s.root, 'd'), { recursive: true })
    assert.throws(() => handle.remove(), { code: 'not-found' })
    assert.doesNotThrow(() => handle.info())
  })

  test('a read-only filesystem refuses every change', () => {
    using s = served()
    fs.writeFileSync(path.join(s.root, 'f'), 'x')
    const files = directory(s.root, { readOnly: true })
    assert.equal(files.features.readOnly, true)
    assert.throws(() => files.open('f', '', readWrite), { code: 'read-only' })
    assert.throws(() => files.create('g', '', makeFile), { code: 'read-only' })
    assert.throws(() => files.symlink('g', 'f'), { code: 'read-only' })
    const handle = files.open('f', '', readOnly)
    const changes = [
      () => handle.remove(),
      () => handle.rename({ path: 'g' }, { replace: false }),
      () => handle.link('g', { replace: false }),
      () => handle.setInfo({ attributes: 2 }),
      () => handle.write(Buffer.from('y'), 0),
      () => handle.setSize(0),
      () => handle.setSecurity(Buffer.alloc(20)),
      () => handle.setExtendedAttributes([]),
      () => handle.setAllocation(0),
      () => handle.zeroRange({ offset: 0, length: 1 }),
    ]
    for (const change of changes) assert.throws(change, { code: 'read-only' }, String(change))
    assert.equal(text(handle), 'x')
    files.close()
  })

  test('a full disk is no-space, and a file that does not fit is not left behind', t => {
    if (process.getuid?.() !== 0) return t.skip('mounting needs root')
    const small = path.join(parent, 'small')
    fs.mkdirSync(small)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small], { stdio: 'ignore' })
    } catch {
      return t.skip('cannot mount here')
    }
    try {
      using files = Object.assign(directory(small), { [Symbol.dispose]: () => files.close() })
      const handle = files.create('f', '', makeFile)
      assert.throws(() => handle.write(Buffer.alloc(2 << 20), 0), { code: 'no-space' })
      assert.throws(() => handle.setAllocation(8 << 20), { code: 'no-space' })
      assert.throws(() => files.create('g', '', { ...makeFile, allocationBytes: 8 << 20 }), { code: 'no-space' })
      assert.equal(files.stat('g'), undefined)
      void handle.setSize(0)
      void handle.write(Buffer.from('fits'), 0)
      handle.close()
    } finally {
      execFileSync('umount', ['-l', small])
    }
  })

  test('fifos and sockets are neither waited for nor read', () => {
    using s = served()
    execFileSync('mkfifo', [path.join(s.root, 'fifo')])
    const handle = s.files.open('fifo', '', readOnly)
    assert.equal(handle.info().kind, 'other')
    assert.throws(() => handle.read(Buffer.alloc(1), 0), { code: 'not-supported' })
    handle.remove()
    assert.deepEqual(fs.readdirSync(s.root), [])
  })

  test('a million opens and closes leave no descriptor behind (a thousand of each kind here)', () => {
    using s = served()
    s.files.create('f', '', makeFile).close()
    s.files.create('f', 's', makeFile).close()
    const open = (): number => fs.readdirSync('/proc/self/fd').length
    const before = open()
    for (let i = 0; i < 1000; i++) {
      s.files.open('f', '', readWrite).close()
      s.files.open('F', 's', readOnly).close()
      s.files.stat('f')
      s.files.stat('missing')
      s.files.create('t', '', makeFile).close()
      const handle = s.files.open('t', '', { read: false, write: false })
      void handle.setSize(1)
      void handle.rename({ path: 'u' }, { replace: false })
      handle.remove()
      handle.close()
      for (const name of ['f/x', 'none/x', '..']) assert.throws(() => s.files.open(name, '', readOnly))
      assert.throws(() => s.files.create('f', '', makeFile))
      assert.throws(() => s.files.open('f', 'none', readOnly))
    }
    assert.ok(Math.abs(open() - before) <= 1, `${before} before, ${open()} after`)
  })
})
