import assert from 'node:assert/strict'
import { check, checkWith, metadataOnly, readOnly, readWrite, type Check } from './scope.ts'

export const nameChecks: readonly Check[] = [
  check('what does not exist is not found', async s => {
    await s.fails('not-found', () => s.open('nothing'))
    assert.equal(await s.stat('nothing'), undefined)
  }),
  check('a missing folder on the way is path-not-found', async s => {
    await s.fails('path-not-found', () => s.open('nothing/file'))
    await s.fails('path-not-found', () => s.create('nothing/file'))
    assert.equal(await s.stat('nothing/file'), undefined)
  }),
  check('a file on the way is path-not-found', async s => {
    await s.file('file')
    await s.fails('path-not-found', () => s.open('file/below'))
    await s.fails('path-not-found', () => s.create('file/below'))
    assert.equal(await s.stat('file/below'), undefined)
  }),
  check('creating what exists fails with exists, in any case', async s => {
    await s.file('Name')
    await s.fails('exists', () => s.create('Name'))
    await s.fails('exists', () => s.create('nAME'))
    await s.fails('exists', () => s.create('NAME', { folder: true }))
  }),
  check('lookups ignore case and report the stored name', async s => {
    await s.makeFolder('Some Folder')
    await s.file('Some Folder/ReadMe.TXT', 'hello')
    assert.equal((await s.info('SOME FOLDER/readme.txt')).name, 'ReadMe.TXT')
    const handle = await s.open('some folder/README.txt', readOnly)
    assert.equal((await handle.info()).name, 'ReadMe.TXT')
    assert.equal(await s.content('some FOLDER/rEADmE.txt'), 'hello')
  }),
  check('lookups ignore case beyond ASCII, one code unit to one', async s => {
    await s.file('Grüße Ωμέγα жук')
    assert.equal((await s.info('GRÜßE ωΜΈΓΑ ЖУК')).name, 'Grüße Ωμέγα жук')
    assert.equal(await s.stat('GRÜSSE ΩΜΈΓΑ ЖУК'), undefined)
  }),
  check('a new name is found in any case at once', async s => {
    assert.equal(await s.stat('a'), undefined)
    await s.file('Late')
    assert.equal((await s.info('LATE')).name, 'Late')
    await s.remove('late')
    assert.equal(await s.stat('LATE'), undefined)
    await s.file('LATE')
    assert.equal((await s.info('late')).name, 'LATE')
  }),
  check('create puts a name into a folder whose case was given otherwise', async s => {
    await s.makeFolder('Target')
    await s.file('TARGET/file', 'x')
    assert.deepEqual(await s.names('Target'), ['file'])
    assert.deepEqual(await s.names(), ['Target'])
  }),
  check('names keep spaces, dots and Unicode', async s => {
    const names = ['two  words', '.hidden', 'a.b.c', '名前', '\u{1f600}.txt', 'e\u0301', '\u00e9', "it's #1 (50%) ~$&@^[]{}"]
    for (const name of names) await s.file(name)
    assert.deepEqual(await s.names(), names.sort())
  }),
  check('unpaired surrogates are kept', async s => {
    await s.file('\ud800-high')
    await s.file('low-\udc00')
    assert.deepEqual(await s.names(), ['low-\udc00', '\ud800-high'])
    assert.equal((await s.info('LOW-\udc00')).name, 'low-\udc00')
  }),
  check('characters of the private-use mapping are kept', async s => {
    await s.file('a\uf022b\uf020')
    await s.file('end\uf028')
    await s.file('end\uf029')
    assert.deepEqual(await s.names(), ['a\uf022b\uf020', 'end\uf028', 'end\uf029'])
  }),
  check('paths with . or .. or empty components are invalid', async s => {
    for (const name of ['.', '..', 'a/../b', './a', 'a//b', 'a/', 'a\0b', 'a\\b']) await s.fails('invalid-name', () => s.open(name))
    await s.fails('invalid-name', () => s.create('..'))
    await s.fails('invalid-name', () => s.files.open('/etc', '', readOnly))
  }),
  check('names above 255 units are too long', async s => {
    await s.fails('name-too-long', () => s.create('x'.repeat(256)))
    await s.file('y'.repeat(255))
    assert.deepEqual(await s.names(), ['y'.repeat(255)])
  }),
  check('the root is a folder without a name', async s => {
    const info = await s.files.stat('')
    assert.equal(info?.name, '')
    assert.equal(info?.isFolder, true)
    const root = await s.files.open('', '', readOnly)
    assert.equal(root.isFolder, true)
    await s.fails('access-denied', () => root.remove())
    await s.fails('access-denied', () => root.rename({ path: 'elsewhere' }, { replace: false }))
    await root.close()
    await s.fails('exists', () => s.files.create('', '', { folder: true, attributes: 0, access: readWrite }))
  }),
  check('rename gives a new name', async s => {
    await s.file('old', 'content')
    await s.rename('old', 'new')
    assert.deepEqual(await s.names(), ['new'])
    assert.equal(await s.content('new'), 'content')
  }),
  check('rename moves to another folder', async s => {
    await s.makeFolder('Sub')
    await s.file('file', 'x')
    await s.rename('file', 'SUB/moved')
    assert.deepEqual(await s.names('sub'), ['moved'])
    assert.deepEqual(await s.names(), ['Sub'])
  }),
  check('rename changes case only', async s => {
    await s.file('name', 'x')
    await s.rename('name', 'NAME')
    assert.deepEqual(await s.names(), ['NAME'])
    assert.equal((await s.info('name')).name, 'NAME')
    await s.makeFolder('dir')
    await s.rename('dir', 'Dir')
    assert.deepEqual(await s.names(), ['Dir', 'NAME'])
  }),
  check('rename to its own name changes nothing', async s => {
    await s.file('same', 'x')
    await s.rename('same', 'same')
    assert.equal(await s.content('same'), 'x')
  }),
  check('rename without replace fails where the name is taken, in any case', async s => {
    await s.file('a', '1')
    await s.file('B', '2')
    await s.fails('exists', () => s.rename('a', 'b'))
    assert.equal(await s.content('a'), '1')
    assert.equal(await s.content('B'), '2')
  }),
  check('rename with replace takes the place of a file, with the case that was asked for', async s => {
    await s.file('a', '1')
    await s.file('TARGET', '2')
    await s.rename('a', 'target', true)
    assert.deepEqual(await s.names(), ['target'])
    assert.equal(await s.content('TARGET'), '1')
  }),
  check('a replaced file stays readable by who has it open', async s => {
    await s.file('a', 'new')
    await s.file('b', 'old')
    const open = await s.open('b', readOnly)
    await s.rename('a', 'b', true)
    const target = Buffer.alloc(8)
    assert.equal(await open.read(target, 0), 3)
    assert.equal(target.toString('latin1', 0, 3), 'old')
  }),
  check('rename into a missing folder is path-not-found', async s => {
    await s.file('a')
    await s.fails('path-not-found', () => s.rename('a', 'nothing/a'))
    assert.deepEqual(await s.names(), ['a'])
  }),
  check('rename of a folder takes its content along', async s => {
    await s.makeFolder('d')
    await s.makeFolder('d/sub')
    await s.file('d/sub/f', 'deep')
    await s.rename('d', 'e')
    assert.equal(await s.content('E/sub/F'), 'deep')
    assert.equal(await s.stat('d'), undefined)
  }),
  check('a folder cannot move into itself', async s => {
    await s.makeFolder('d')
    await s.makeFolder('d/sub')
    await s.fails('invalid', () => s.rename('d', 'd/sub/d'))
    assert.deepEqual(await s.names('d'), ['sub'])
  }),
  check('a folder does not replace a file, nor a file a folder', async s => {
    await s.makeFolder('d')
    await s.file('f')
    await s.fails(['not-folder', 'exists'], () => s.rename('d', 'f', true))
    await s.fails(['is-folder', 'exists', 'not-empty'], () => s.rename('f', 'd', true))
    assert.deepEqual(await s.names(), ['d', 'f'])
  }),
  check('a handle follows its file through renames', async s => {
    await s.file('one', 'x')
    const handle = await s.open('one')
    await handle.rename({ path: s.path('two') }, { replace: false })
    assert.equal((await handle.info()).name, 'two')
    await handle.rename({ path: s.path('Three') }, { replace: false })
    await handle.remove()
    assert.deepEqual(await s.names(), [])
  }),
  check('a handle finds its file after a folder above was renamed', async s => {
    await s.makeFolder('top')
    await s.file('top/file', 'x')
    const handle = await s.open('top/file')
    await s.rename('top', 'moved')
    await handle.rename({ path: s.path('moved/renamed') }, { replace: false })
    assert.deepEqual(await s.names('moved'), ['renamed'])
    await handle.remove()
    assert.deepEqual(await s.names('moved'), [])
  }),
  check('remove removes, and what is open stays usable', async s => {
    await s.file('gone', 'still here')
    const handle = await s.open('gone')
    await s.remove('GONE')
    assert.equal(await s.stat('gone'), undefined)
    const target = Buffer.alloc(10)
    assert.equal(await handle.read(target, 0), 10)
    await handle.write(Buffer.from('S'), 0)
    assert.equal((await handle.info()).sizeBytes, 10)
    await s.fails('not-found', () => handle.remove())
  }),
  check('remove does not take a new file that has the old name', async s => {
    await s.file('name', 'old')
    const old = await s.open('name', metadataOnly)
    await s.remove('name')
    await s.file('name', 'new')
    await s.fails('not-found', () => old.remove())
    assert.equal(await s.content('name'), 'new')
  }),
  checkWith('hardLinks', 'link gives a further name to the same file', async s => {
    await s.file('first', 'shared')
    const handle = await s.open('first')
    await handle.link(s.path('second'), { replace: false })
    assert.equal((await handle.info()).links, 2)
    assert.equal((await s.info('first')).id, (await s.info('SECOND')).id)
    await s.fails('exists', () => handle.link(s.path('Second'), { replace: false }))
    await s.file('third')
    await handle.link(s.path('Third'), { replace: true })
    assert.deepEqual(await s.names(), ['Third', 'first', 'second'])
    await s.remove('first')
    assert.equal(await s.content('third'), 'shared')
  }),
  checkWith('hardLinks', 'rename over another name of the same file leaves one name', async s => {
    await s.file('a', 'x')
    await (await s.open('a')).link(s.path('b'), { replace: false })
    await s.rename('a', 'B', true)
    assert.deepEqual(await s.names(), ['B'])
    assert.equal(await s.content('b'), 'x')
  }),
  checkWith('symlinks', 'a symbolic link within the root is followed', async s => {
    await s.makeFolder('real')
    await s.file('real/file', 'target')
    await s.files.symlink?.(s.path('link'), 'real')
    await s.files.symlink?.(s.path('real/up'), '../real/file')
    assert.equal(await s.content('link/FILE'), 'target')
    assert.equal(await s.content('real/up'), 'target')
    assert.equal((await s.info('link')).isFolder, true)
  }),
  checkWith('symlinks', 'a symbolic link can be opened itself, read and removed', async s => {
    await s.file('file', 'x')
    await s.files.symlink?.(s.path('link'), 'file')
    const link = await s.open('LINK', { ...metadataOnly, noFollow: true })
    assert.equal((await link.info()).kind, 'symlink')
    assert.equal((await link.info()).reparseTag, 0xa000000c)
    assert.equal(await link.readLink(), 'file')
    assert.equal((await s.files.stat(s.path('link'), { noFollow: true }))?.kind, 'symlink')
    await link.remove()
    assert.deepEqual(await s.names(), ['file'])
  }),
  checkWith('symlinks', 'removing through a followed link removes the link', async s => {
    await s.file('file', 'x')
    await s.files.symlink?.(s.path('link'), 'file')
    const handle = await s.open('link', readOnly)
    await handle.remove()
    assert.deepEqual(await s.names(), ['file'])
  }),
  checkWith('symlinks', 'links out of the root escape; dangling ones and loops are not found', async s => {
    await s.files.symlink?.(s.path('absolute'), '/etc/passwd')
    await s.files.symlink?.(s.path('upwards'), '../../../../../../../etc/passwd')
    await s.files.symlink?.(s.path('dangling'), 'nothing')
    await s.files.symlink?.(s.path('loop'), 'loop')
    for (const name of ['absolute', 'upwards']) await s.fails('escapes', () => s.open(name, readOnly))
    for (const name of ['dangling', 'loop']) await s.fails('not-found', () => s.open(name, readOnly))
    const folder = await s.files.open(s.folder, '', readOnly)
    const kinds: unknown[] = []
    for (const entry of await folder.entries()) kinds.push((await entry)?.kind)
    await folder.close()
    assert.deepEqual(kinds, ['symlink', 'symlink', 'symlink', 'symlink'])
  }),
]
