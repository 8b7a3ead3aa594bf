import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CreateOptions, FileHandle } from '../filesystem.ts'
import { virtualFileSystem, type VirtualSource } from './virtual.ts'

const readOnly = { read: true, write: false }
const readWrite = { read: true, write: true }
const makeFile: CreateOptions = { folder: false, attributes: 0x20, access: readWrite }
const text = async (handle: FileHandle): Promise<string> => {
  const target = Buffer.alloc(64)
  return target.toString('utf8', 0, await handle.read(target, 0))
}

/** Files in a map; folders are what has a slash behind it. */
const mapSource = (content: Map<string, string>, log: string[] = []): VirtualSource => ({
  list: folder => {
    const prefix = folder === '' ? '' : `${folder}/`
    return [...content.keys()]
      .filter(name => name.startsWith(prefix) && /^[^/]+\/?$/.test(name.slice(prefix.length)))
      .map(name => ({ name: name.slice(prefix.length).replace('/', ''), isFolder: name.endsWith('/'), sizeBytes: content.get(name)!.length }))
  },
  read: name => Buffer.from(content.get(name)!),
  write: (name, bytes) => {
    log.push(`write ${name}`)
    content.set(name, Buffer.from(bytes).toString())
  },
  remove: (name, isFolder) => void content.delete(isFolder ? `${name}/` : name),
  makeFolder: name => void content.set(`${name}/`, ''),
})

test('a source of two functions is a read-only filesystem', async () => {
  const files = virtualFileSystem({ list: () => [{ name: 'Hello.txt', sizeBytes: 5 }], read: () => Buffer.from('hello') })
  assert.equal(files.features.readOnly, true)
  assert.equal((await files.stat('HELLO.TXT'))?.name, 'Hello.txt')
  const handle = await files.open('hello.txt', '', readOnly)
  assert.equal(await text(handle), 'hello')
  assert.equal(handle.info().attributes & 1, 1)
  await assert.rejects(files.open('hello.txt', '', readWrite), { code: 'read-only' })
  await assert.rejects(files.create('x', '', makeFile), { code: 'read-only' })
  await assert.rejects(files.open('none', '', readOnly), { code: 'not-found' })
  await assert.rejects(files.open('none/x', '', readOnly), { code: 'path-not-found' })
  await handle.close()
})

test('changes are written once, when flushed or closed last', async () => {
  const log: string[] = []
  const content = new Map([['a', '12345']])
  const files = virtualFileSystem(mapSource(content, log))
  const one = await files.open('A', '', readWrite)
  const two = await files.open('a', '', readWrite)
  await one.write(Buffer.from('x'), 0)
  await two.write(Buffer.from('yz'), 6)
  assert.equal(await text(one), 'x2345\0yz')
  assert.equal((await files.stat('a'))?.sizeBytes, 8)
  assert.deepEqual(log, [])
  await one.close()
  assert.deepEqual(log, [])
  await two.close()
  assert.deepEqual(log, ['write a'])
  assert.equal(content.get('a'), 'x2345\0yz')
  const three = await files.open('a', '', readWrite)
  await three.setSize(2)
  await three.flush()
  await three.close()
  assert.deepEqual([content.get('a'), log.length], ['x2', 2])
})

test('create, rename, remove, folders', async () => {
  const content = new Map<string, string>()
  const files = virtualFileSystem(mapSource(content))
  const folder = await files.create('d', '', { ...makeFile, folder: true })
  const file = await files.create('D/f', '', makeFile)
  await assert.rejects(async () => files.create('d/F', '', makeFile), { code: 'exists' })
  await file.write(Buffer.from('text'), 0)
  await file.rename({ path: 'd/g' }, { replace: false })
  await file.write(Buffer.from('T'), 0)
  await file.close()
  assert.deepEqual(
    [...content],
    [
      ['d/', ''],
      ['d/g', 'Text'],
    ],
  )
  const entries = [...(await folder.entries())]
  assert.deepEqual(
    entries.map(entry => (entry as { name: string }).name),
    ['g'],
  )
  await assert.rejects(folder.remove(), { code: 'not-empty' })
  const again = await files.open('d/g', '', readWrite)
  await again.write(Buffer.from('lost'), 0)
  await again.remove()
  await again.close()
  await folder.remove()
  assert.equal(content.size, 0)
})

test('an open file is bounded', async () => {
  const files = virtualFileSystem(mapSource(new Map([['a', '']])), { maxFileBytes: 1000 })
  const handle = await files.open('a', '', readWrite)
  await assert.rejects(async () => handle.setSize(2000), { code: 'too-large' })
  await handle.write(Buffer.alloc(1000, 1), 0)
  await handle.setSize(10)
  await handle.setSize(20)
  const target = Buffer.alloc(20)
  assert.equal(await handle.read(target, 0), 20)
  assert.deepEqual([...target.subarray(9, 12)], [1, 0, 0])
  await handle.close()
})
