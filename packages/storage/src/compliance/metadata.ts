import assert from 'node:assert/strict'
import type { FolderEntry } from '../filesystem.ts'
import { check, checkWith, metadataOnly, readOnly, type Check, type Scope } from './scope.ts'

const attribute = { readOnly: 1, hidden: 2, system: 4, directory: 0x10, archive: 0x20, normal: 0x80 }
/** 2001-02-03T04:05:06.7891234Z */
const moment = 126_256_395_067_891_234n
const names = (attributes: readonly { readonly name: string }[]): string[] => attributes.map(({ name }) => name).sort()
const list = async (s: Scope, folder: string, wanted?: readonly string[]): Promise<Map<string, FolderEntry>> => {
  const handle = await s.open(folder, readOnly)
  const entries = new Map<string, FolderEntry>()
  for (const pending of await handle.entries(wanted)) {
    const entry = await pending
    if (entry !== undefined) entries.set(entry.name, entry)
  }
  await handle.close()
  return entries
}

export const metadataChecks: readonly Check[] = [
  check('attributes are stored at creation and shown by stat, info and entries', async s => {
    await (await s.create('f', { attributes: attribute.hidden | attribute.system })).close()
    await (await s.create('n', { attributes: attribute.normal })).close()
    await (await s.create('d', { folder: true, attributes: attribute.hidden })).close()
    assert.equal((await s.info('f')).attributes, attribute.hidden | attribute.system)
    assert.equal((await s.info('n')).attributes, attribute.normal)
    assert.equal((await s.info('d')).attributes, attribute.directory | attribute.hidden)
    const folder = await s.files.open(s.folder, '', readOnly)
    const shown: [name: string, attributes: number][] = []
    for (const entry of await folder.entries()) shown.push([(await entry)!.name, (await entry)!.attributes])
    await folder.close()
    shown.sort(([a], [b]) => (a < b ? -1 : 1))
    assert.deepEqual(shown, [
      ['d', 0x12],
      ['f', 6],
      ['n', 0x80],
    ])
  }),
  check('attributes change and stay while times change', async s => {
    const handle = await s.create('f')
    assert.equal((await handle.info()).attributes, attribute.archive)
    await handle.setInfo({ attributes: attribute.readOnly | attribute.archive })
    await handle.setInfo({ writtenAt: moment })
    assert.equal((await handle.info()).attributes, attribute.readOnly | attribute.archive)
    await handle.setInfo({ attributes: attribute.normal })
    assert.equal((await s.info('f')).attributes, attribute.normal)
    await handle.setInfo({ attributes: attribute.archive })
    assert.equal((await s.info('f')).attributes, attribute.archive)
  }),
  check('attributes that are not stored do not appear', async s => {
    const handle = await s.create('f')
    await handle.setInfo({ attributes: attribute.directory | attribute.hidden | 0x400 | attribute.normal })
    assert.equal((await handle.info()).attributes, attribute.hidden)
  }),
  check('times are kept to 100 ns', async s => {
    const handle = await s.create('f')
    await handle.setInfo({ createdAt: moment, accessedAt: moment + 1n, writtenAt: moment + 2n })
    const { createdAt, accessedAt, writtenAt } = await s.info('f')
    assert.deepEqual([createdAt, accessedAt, writtenAt], [moment, moment + 1n, moment + 2n])
  }),
  check('times of folders are kept', async s => {
    const handle = await s.create('d', { folder: true })
    await handle.setInfo({ createdAt: moment, writtenAt: moment + 20n })
    const { createdAt, writtenAt } = await s.info('d')
    assert.deepEqual([createdAt, writtenAt], [moment, moment + 20n])
  }),
  check('times before 1970 are kept', async s => {
    const handle = await s.create('f')
    const early = 100_000_000_000_000_007n
    await handle.setInfo({ createdAt: early, writtenAt: early })
    assert.deepEqual([(await handle.info()).createdAt, (await handle.info()).writtenAt], [early, early])
  }),
  check('what is left out of a change stays', async s => {
    const handle = await s.create('f')
    await handle.setInfo({ createdAt: moment, writtenAt: moment })
    const before = await handle.info()
    await handle.setInfo({ accessedAt: moment })
    await handle.setInfo({})
    const after = await handle.info()
    assert.deepEqual([after.createdAt, after.writtenAt, after.attributes], [before.createdAt, moment, before.attributes])
  }),
  check('a new file has the time now', async s => {
    const { createdAt, writtenAt, accessedAt, changedAt } = await (await s.create('f')).info()
    const now = BigInt(Date.now()) * 10_000n + 116_444_736_000_000_000n
    for (const time of [createdAt, writtenAt, accessedAt, changedAt]) assert.ok(time > now - 600_000_000n && time < now + 100_000_000n, `${time}`)
  }),
  check('writing moves the write time, not the creation time', async s => {
    const handle = await s.create('f')
    await handle.setInfo({ createdAt: moment, writtenAt: moment })
    await handle.write(Buffer.from('x'), 0)
    const { createdAt, writtenAt } = await handle.info()
    assert.equal(createdAt, moment)
    assert.ok(writtenAt > moment)
  }),
  check('changing metadata moves the change time', async s => {
    const handle = await s.create('f')
    const before = (await handle.info()).changedAt
    await new Promise(resolve => setTimeout(resolve, 15))
    await handle.setInfo({ attributes: attribute.hidden })
    assert.ok((await handle.info()).changedAt > before)
  }),
  check('a change time that is set counts until the next change', async s => {
    const handle = await s.create('f')
    await handle.setInfo({ changedAt: moment, writtenAt: moment })
    assert.deepEqual([(await handle.info()).changedAt, (await s.info('f')).changedAt], [moment, moment])
    // Changes at the same time can't be told apart.
    await new Promise(resolve => setTimeout(resolve, 150))
    assert.equal((await handle.info()).changedAt, moment)
    await handle.write(Buffer.from('x'), 0)
    assert.notEqual((await handle.info()).changedAt, moment)
  }),
  check('ids are unique, and the same in stat, info and entries', async s => {
    const a = await s.create('a')
    const b = await s.create('b')
    assert.notEqual(a.id, b.id)
    assert.equal((await a.info()).id, a.id)
    assert.equal((await s.info('A')).id, a.id)
    assert.equal((await a.info()).volumeId, (await s.info('b')).volumeId)
  }),
  check('entries of a folder: all, with their metadata', async s => {
    await s.makeFolder('d')
    await s.makeFolder('d/sub')
    await s.file('d/file', 'content')
    const entries = await list(s, 'd')
    assert.deepEqual([...entries.keys()].sort(), ['file', 'sub'])
    assert.deepEqual([entries.get('file')!.sizeBytes, entries.get('file')!.isFolder, entries.get('sub')!.isFolder], [7, false, true])
    assert.deepEqual(entries.get('file'), await s.info('d/file'))
    assert.equal((await s.open('d/file')).isFolder, false)
  }),
  check('entries limited to names are lookups in any case', async s => {
    await s.makeFolder('d')
    for (const name of ['Alpha', 'beta', 'gamma']) await s.file(`d/${name}`)
    assert.deepEqual([...(await list(s, 'd', ['ALPHA', 'beta', 'nothing'])).keys()], ['Alpha', 'beta'])
    assert.equal((await list(s, 'd', [])).size, 0)
  }),
  check('entries are a snapshot of the names', async s => {
    await s.makeFolder('d')
    for (let i = 0; i < 20; i++) await s.file(`d/${i}`)
    const handle = await s.open('d', readOnly)
    const entries = (await handle.entries())[Symbol.iterator]()
    const first = await entries.next().value
    for (let i = 0; i < 20; i++) if (`${i}` !== first?.name) await s.remove(`d/${i}`)
    let steps = 1
    for (let next = entries.next(); !next.done; next = entries.next()) {
      assert.equal(await next.value, undefined)
      steps++
    }
    assert.equal(steps, 20)
  }),
  check('two iterations over one handle do not disturb each other', async s => {
    await s.makeFolder('d')
    for (let i = 0; i < 10; i++) await s.file(`d/${i}`)
    const handle = await s.open('d', readOnly)
    const one = (await handle.entries())[Symbol.iterator]()
    await one.next().value
    let count = 0
    for (const entry of await handle.entries()) if (await entry) count++
    let rest = 1
    while (!one.next().done) rest++
    assert.deepEqual([count, rest], [10, 10])
  }),
  check('a folder of 2,000 names lists completely, in a stable order', async s => {
    await s.makeFolder('d')
    for (let i = 0; i < 2000; i++) await s.file(`d/name-${i}`)
    const first = [...(await list(s, 'd')).keys()]
    assert.equal(new Set(first).size, 2000)
    assert.deepEqual([...(await list(s, 'd')).keys()], first)
  }),
  check('entryNames, where there is, gives the names of entries', async s => {
    await s.makeFolder('d')
    await s.file('d/a')
    await s.makeFolder('d/B')
    const handle = await s.open('d', readOnly)
    const given = await handle.entryNames?.()
    if (given !== undefined) assert.deepEqual([...given].sort(), ['B', 'a'])
  }),
  check('files have no entries', async s => {
    const handle = await s.create('f')
    await s.fails('not-folder', async () => handle.entries())
  }),
  check('a folder with entries is not removed, an empty one is', async s => {
    await s.makeFolder('d')
    await s.file('d/f')
    await s.fails('not-empty', () => s.remove('d'))
    await s.remove('d/f')
    await s.remove('d')
    assert.equal(await s.stat('d'), undefined)
  }),
  check('the volume tells its sizes', async s => {
    const volume = await s.files.volume()
    assert.ok(volume.totalUnits > 0 && volume.freeUnits <= volume.totalUnits && volume.availableUnits <= volume.totalUnits)
    assert.ok(volume.allocationUnitBytes >= 512 && volume.maxNameLength > 0 && volume.label.length > 0)
    assert.ok(Number.isInteger(volume.serialNumber) && volume.serialNumber >= 0 && volume.serialNumber < 2 ** 32)
  }),
  checkWith('extendedAttributes', 'extended attributes are stored, replaced and removed without regard to case', async s => {
    const handle = await s.create('f')
    assert.deepEqual(await handle.extendedAttributes(), [])
    assert.equal((await handle.info()).eaSizeBytes, 0)
    await handle.setExtendedAttributes([
      { name: 'One', value: Buffer.from('first'), flags: 0 },
      { name: 'TWO', value: Buffer.from([0, 1, 2]), flags: 0 },
    ])
    assert.deepEqual(names(await handle.extendedAttributes()), ['One', 'TWO'])
    await handle.setExtendedAttributes([{ name: 'ONE', value: Buffer.from('1'), flags: 0 }])
    const one = (await handle.extendedAttributes()).find(({ name }) => name.toUpperCase() === 'ONE')
    assert.equal(Buffer.from(one!.value).toString(), '1')
    await handle.setExtendedAttributes([
      { name: 'two', value: Buffer.alloc(0), flags: 0 },
      { name: 'never', value: Buffer.alloc(0), flags: 0 },
    ])
    assert.equal((await handle.extendedAttributes()).length, 1)
  }),
  checkWith('extendedAttributes', 'their size is that of FILE_FULL_EA_INFORMATION (MS-FSCC 2.4.16)', async s => {
    const handle = await s.create('f')
    await handle.setExtendedAttributes([{ name: 'abc', value: Buffer.from('12'), flags: 0 }])
    assert.equal((await handle.info()).eaSizeBytes, 8 + 4 + 2)
    await handle.setExtendedAttributes([{ name: 'de', value: Buffer.from('12'), flags: 0 }])
    const size = (await handle.info()).eaSizeBytes
    assert.ok(size === 16 + 8 + 3 + 2 || size === 16 + 8 + 4 + 2, `${size}`)
    assert.equal((await s.info('f')).eaSizeBytes, size)
  }),
  checkWith('extendedAttributes', 'they are stored at creation, for folders too', async s => {
    const extendedAttributes = [{ name: 'made', value: Buffer.from('here'), flags: 0 }]
    for (const [name, folder] of [
      ['f', false],
      ['d', true],
    ] as const) {
      const handle = await s.create(name, { folder, extendedAttributes })
      assert.equal(Buffer.from((await handle.extendedAttributes())[0].value).toString(), 'here')
    }
    await s.fails('invalid-name', () => s.create('bad', { extendedAttributes: [{ name: '', value: Buffer.from('x'), flags: 0 }] }))
    assert.equal(await s.stat('bad'), undefined)
  }),
  checkWith('extendedAttributes', 'metadata of the filesystem is not among them', async s => {
    const handle = await s.create('f', { attributes: attribute.hidden, security: Buffer.alloc(40, 1) })
    await handle.setInfo({ createdAt: moment })
    assert.deepEqual(await handle.extendedAttributes(), [])
    assert.equal((await handle.info()).eaSizeBytes, 0)
  }),
  checkWith('securityDescriptors', 'a security descriptor is kept byte by byte', async s => {
    const handle = await s.create('f')
    assert.equal(await handle.security(), undefined)
    const descriptor = Buffer.from(Array.from({ length: 200 }, (_, i) => i))
    await handle.setSecurity(descriptor)
    assert.deepEqual(Buffer.from((await handle.security())!), descriptor)
    await (await s.open('f', metadataOnly)).setSecurity(Buffer.alloc(20, 7))
    assert.deepEqual(Buffer.from((await handle.security())!), Buffer.alloc(20, 7))
  }),
  checkWith('securityDescriptors', 'given at creation, for folders too', async s => {
    const file = await s.create('f', { security: Buffer.alloc(30, 3) })
    const folder = await s.create('d', { folder: true, security: Buffer.alloc(31, 4) })
    assert.equal((await file.security())?.length, 30)
    assert.equal((await folder.security())?.length, 31)
  }),
  checkWith('securityDescriptors', 'large ones (64 KiB) and small ones replace each other', async s => {
    const handle = await s.create('f')
    for (const size of [65_000, 100, 5000, 4000, 65_535]) {
      await handle.setSecurity(Buffer.alloc(size, size & 0xff))
      assert.deepEqual(Buffer.from((await handle.security())!), Buffer.alloc(size, size & 0xff), `${size}`)
    }
    assert.deepEqual(names(await handle.extendedAttributes()), [])
  }),
]
