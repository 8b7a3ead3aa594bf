import assert from 'node:assert/strict'
import type { FileHandle } from '../filesystem.ts'
import { checkWith, contentOf, metadataOnly, readOnly, type Check } from './scope.ts'

const streamCheck = (title: string, run: Check['run']): Check => checkWith('namedStreams', title, run)
const names = async (handle: FileHandle): Promise<string[]> => (await handle.streams()).map(({ name }) => name).sort()

export const streamChecks: readonly Check[] = [
  streamCheck('a file has its unnamed stream, a folder none', async s => {
    const file = await s.create('f')
    await file.write(Buffer.from('12345'), 0)
    const [data, ...others] = await file.streams()
    assert.deepEqual([data?.name, data?.sizeBytes, others.length], ['', 5, 0])
    assert.ok(data.allocationBytes >= 5)
    assert.deepEqual(await names(await s.create('d', { folder: true })), [])
  }),
  streamCheck('a stream is created, written, read and listed', async s => {
    await s.file('f', 'data')
    const stream = await s.create('f', {}, 'Extra')
    await stream.write(Buffer.from('in the stream'), 0)
    assert.equal(await s.content('f', 'extra'), 'in the stream')
    assert.equal(await s.content('f'), 'data')
    assert.deepEqual(await names(stream), ['', 'Extra'])
    const listed = (await stream.streams()).find(({ name }) => name === 'Extra')
    assert.equal(listed?.sizeBytes, 13)
    assert.ok(listed.allocationBytes >= 13)
  }),
  streamCheck('a stream has the id and times of its file and a size of its own', async s => {
    const file = await s.create('f', { attributes: 0x22 })
    await file.write(Buffer.from('12345'), 0)
    const stream = await s.create('F', {}, 's')
    await stream.write(Buffer.from('1234567890'), 0)
    const info = await stream.info()
    assert.deepEqual([info.id, info.name, info.sizeBytes, info.isFolder, info.attributes], [file.id, 'f', 10, false, 0x22])
    assert.equal((await file.info()).sizeBytes, 5)
  }),
  streamCheck('missing streams are not found; existing ones exist, in any case', async s => {
    await s.file('f')
    await s.fails('not-found', () => s.open('f', readOnly, 'none'))
    await s.create('f', {}, 'Name')
    await s.fails('exists', () => s.create('f', {}, 'nAME'))
    await s.fails('not-found', () => s.create('nothing', {}, 'Name'))
    assert.equal(await s.stat('nothing'), undefined)
  }),
  streamCheck('names of streams keep characters that file names may not have', async s => {
    await s.file('f')
    const wanted = ['\x05Stream\n', '?Stream*', '"<>|', 'Grüße', '\ud800', '.', '..', ' end. ']
    for (const name of wanted) await s.create('f', {}, name)
    assert.deepEqual(await names(await s.open('f')), ['', ...wanted].sort())
    assert.equal(await s.content('f', 'GRÜßE'), '')
    for (const name of ['a/b', 'a\\b', 'a:b', 'a\0']) await s.fails('invalid-name', () => s.create('f', {}, name))
  }),
  streamCheck('folders have streams', async s => {
    const folder = await s.create('d', { folder: true })
    const stream = await s.create('d', {}, 's')
    assert.equal(stream.isFolder, false)
    await stream.write(Buffer.from('x'), 0)
    assert.deepEqual(await names(folder), ['s'])
    assert.equal((await stream.info()).isFolder, false)
    assert.deepEqual(await s.names('d'), [])
    await s.remove('d')
  }),
  streamCheck('streams hold much (4 MiB)', async s => {
    await s.file('f')
    const stream = await s.create('f', {}, 'big')
    const data = Buffer.alloc(4 << 20, 'abc')
    await stream.write(data, 0)
    assert.ok((await contentOf(stream)).equals(data))
    assert.ok((await stream.info()).allocationBytes >= data.length)
  }),
  streamCheck('removing a stream leaves the file and the others', async s => {
    await s.file('f', 'data')
    await s.create('f', {}, 'one')
    await s.create('f', {}, 'two')
    await s.remove('f', 'ONE')
    assert.deepEqual(await names(await s.open('f')), ['', 'two'])
    assert.equal(await s.content('f'), 'data')
    await s.fails('not-found', () => s.open('f', readOnly, 'one'))
  }),
  streamCheck('removing the file removes its streams', async s => {
    await s.file('f')
    await s.create('f', {}, 'old')
    await s.remove('f')
    await s.file('f')
    assert.deepEqual(await names(await s.open('f')), [''])
    await s.fails('not-found', () => s.open('f', readOnly, 'old'))
  }),
  streamCheck('replacing a file by rename removes its streams and keeps those of the new one', async s => {
    await s.file('a')
    await s.create('a', {}, 'of-a')
    await s.file('b')
    await s.create('b', {}, 'of-b')
    await s.rename('a', 'b', true)
    assert.deepEqual(await names(await s.open('b')), ['', 'of-a'])
  }),
  streamCheck('streams follow renames of the file and of folders above', async s => {
    await s.makeFolder('d')
    await s.file('d/f')
    await (await s.create('d/f', {}, 's')).write(Buffer.from('kept'), 0)
    await s.rename('d/f', 'd/g')
    await s.rename('d', 'e')
    assert.equal(await s.content('e/g', 's'), 'kept')
  }),
  checkWith('hardLinks', 'streams are those of all names of a file, until the last is gone', async s => {
    if (!s.files.features.namedStreams) return
    await s.file('one')
    await (await s.create('one', {}, 's')).write(Buffer.from('x'), 0)
    const handle = await s.open('one')
    await handle.link(s.path('two'), { replace: false })
    assert.equal(await s.content('two', 's'), 'x')
    await s.remove('one')
    assert.equal(await s.content('two', 's'), 'x')
  }),
  streamCheck('a stream is renamed within its file', async s => {
    await s.file('f')
    const stream = await s.create('f', {}, 'one')
    await stream.write(Buffer.from('1'), 0)
    await s.create('f', {}, 'two')
    await s.fails('exists', () => stream.rename({ path: s.path('f'), stream: 'TWO' }, { replace: false }))
    await stream.rename({ path: s.path('f'), stream: 'TWO' }, { replace: true })
    assert.deepEqual(await names(stream), ['', 'TWO'])
    await stream.rename({ path: s.path('f'), stream: 'Two' }, { replace: false })
    assert.equal(await s.content('f', 'two'), '1')
    await stream.remove()
    assert.deepEqual(await names(stream), [''])
  }),
  streamCheck('a stream renamed to the unnamed one becomes the data', async s => {
    await s.file('f', 'old data')
    const stream = await s.create('f', {}, 's')
    await stream.write(Buffer.from('new'), 0)
    await s.fails('exists', () => stream.rename({ path: s.path('f'), stream: '' }, { replace: false }))
    await stream.rename({ path: s.path('f'), stream: '' }, { replace: true })
    assert.equal(await s.content('f'), 'new')
    assert.deepEqual(await names(await s.open('f')), [''])
  }),
  streamCheck('streams are truncated and reserved like files', async s => {
    await s.file('f')
    const stream = await s.create('f', { allocationBytes: 100_000 }, 's')
    assert.ok((await stream.info()).allocationBytes >= 100_000)
    await stream.write(Buffer.from('0123456789'), 0)
    await stream.setSize(4)
    assert.equal(await s.content('f', 's'), '0123')
  }),
  streamCheck('attributes and extended attributes through a stream are those of the file', async s => {
    await s.file('f')
    const stream = await s.create('f', {}, 's')
    await stream.setInfo({ attributes: 0x22 })
    assert.equal((await s.info('f')).attributes, 0x22)
    if (s.files.features.extendedAttributes) {
      await stream.setExtendedAttributes([{ name: 'ea', value: Buffer.from('v'), flags: 0 }])
      assert.equal((await (await s.open('f', metadataOnly)).extendedAttributes()).length, 1)
    }
  }),
  streamCheck('where streams are kept is not listed, opened or created', async s => {
    await s.file('f')
    await s.create('f', {}, 's')
    const root = await s.files.open('', '', readOnly)
    for (const entry of await root.entries()) assert.ok(!(await entry)?.name.startsWith('.holdfast'))
    await root.close()
    if (await s.files.stat('.holdfast-streams')) assert.fail('visible')
    await s.fails(['not-found', 'path-not-found'], () => s.files.open('.HOLDFAST-streams', '', readOnly))
    await s.fails(['not-found', 'path-not-found'], () => s.files.open('.holdfast-streams/x', '', readOnly))
  }),
]
