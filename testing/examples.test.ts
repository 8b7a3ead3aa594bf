/** Every `@example` in the rooms' docstrings, and every program in the pages about embedding, compiles and does what it says. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { readRepository } from './architecture/repository.ts'
import type { Room } from './architecture/repository.ts'
import { examplesOf } from './examples/extract.ts'
import type { Example } from './examples/extract.ts'
import { Given } from './examples/given.ts'
import { moduleOf } from './examples/module.ts'
import type { ImportTable } from './examples/module.ts'
import { root } from './run/root.ts'

/** What people begin with, by the specifier they import. Each has an example. */
const entryPoints: Readonly<Record<string, readonly string[]>> = {
  '@holdfast/wire': ['struct', 'codec'],
  '@holdfast/storage': ['memory', 'directory', 'virtualFileSystem'],
  '@holdfast/storage/compliance': ['filesystemCompliance'],
  '@holdfast/storage/block': ['memoryDevice', 'BlockDeviceError', 'openVolumes', 'storeVolumeMetadata', 'VolumeError', 'RoutedVolume'],
  '@holdfast/storage/block-compliance': ['blockDeviceCompliance'],
  '@holdfast/engine': ['ConnectionManager'],
  '@holdfast/engine/worker': ['runWorker'],
  '@holdfast/smb/client': ['SmbClient', 'SmbShare', 'SmbFile', 'FolderWatch'],
  '@holdfast/smb/server': ['createSmbServer'],
  '@holdfast/smb/security': ['ntHash', 'createSigner', 'createCipher', 'deriveKeys', 'SpnegoServer', 'SpnegoClient', 'LoginThrottle'],
  '@holdfast/iscsi/initiator': ['connectDisk', 'discoverTargets', 'IscsiDisk', 'IscsiSession'],
  '@holdfast/iscsi/target': ['createIscsiTarget'],
  '@holdfast/iscsi/scsi': ['LogicalUnit', 'TargetDevice', 'CheckCondition'],
  '@holdfast/iscsi/pdu': ['crc32c', 'parseText', 'negotiate', 'Negotiator'],
  '@holdfast/rpc': ['RpcPipe', 'srvsvc'],
  '@holdfast/management': ['createManagementApp', 'createManagementProtocols', 'openManagementCore'],
  '@holdfast/api-client': ['connect', 'ApiClient'],
  '@holdfast/api-client/node': ['connect'],
  holdfast: ['serve'],
}

/** Examples that compile but can't run here, and why. */
const notRun: Readonly<Record<string, string>> = {
  runWorker: 'belongs into the module of a worker',
  DirectorPrograms: 'changes the packets of an interface',
  ServerAgentPrograms: 'changes the packets of an interface',
  startDirector: 'changes the packets of an interface',
  startServerAgent: 'changes the packets of an interface',
  createContentProtocol: 'belongs into the module of a worker',
  createManagementProtocols: 'belongs into the module of a worker',
  filesystemCompliance: 'defines tests',
  blockDeviceCompliance: 'defines tests',
}

const folder = join(root, 'tmp', `examples-${process.pid}`)
const repository = readRepository(root)
const examples = examplesOf(repository)
const fileOf = (index: number): string => join(folder, `example-${index}.ts`)
const titleOf = (one: Example): string => `${one.owner || one.path} (${one.path}:${one.line})`

/** A room's entries (`@holdfast/smb/server`) with the names of the values they export. */
async function entriesOf(room: Room): Promise<(readonly [string, ReadonlySet<string>])[]> {
  return Promise.all(
    Object.keys(room.exports).map(async subpath => {
      const specifier = `${room.name}${subpath.slice(1)}`
      return [specifier, new Set(Object.keys((await import(specifier)) as object))] as const
    }),
  )
}

const entries = new Map(await Promise.all(repository.rooms.map(async room => [room, await entriesOf(room)] as const)))

/** What an example may name: its own file's exports when these are for the room alone, the room's, everybody's. */
async function importsFor(example: Example): Promise<ImportTable> {
  const own = [...entries].find(([room]) => example.path.startsWith(`${room.folder}/`))?.[1] ?? []
  const others = [...entries.values()].flat().filter(entry => !own.includes(entry))
  const isPublic = own.some(([, names]) => names.has(example.owner)) || example.owner === ''
  const file: (readonly [string, ReadonlySet<string>])[] = isPublic
    ? []
    : [[`../../${example.path}`, new Set(Object.keys((await import(pathToFileURL(join(root, example.path)).href)) as object))]]
  return new Map([...own, ...file, ...others])
}

before(async () => {
  mkdirSync(join(folder, 'run', 'docs'), { recursive: true })
  writeFileSync(join(folder, 'run', 'docs', 'hello.txt'), 'hello')
  writeFileSync(join(folder, 'zip-filesystem.ts'), "import { memory } from '@holdfast/storage'\nexport const fileSystem = () => memory()\n")
  const config = { extends: '../../tsconfig.json', compilerOptions: { noUnusedLocals: false, noUnusedParameters: false }, include: ['*.ts'] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  await Promise.all(examples.map(async (one, index) => writeFileSync(fileOf(index), moduleOf(one, await importsFor(one)))))
})

after(() => {
  if (process.env['KEEP_EXAMPLES'] === undefined) rmSync(folder, { recursive: true, force: true })
})

test('every entry point has an example', () => {
  const shown = new Set(examples.map(({ owner }) => owner))
  const exported = new Map([...entries.values()].flat())
  const missing = Object.entries(entryPoints).flatMap(([specifier, names]) =>
    names.filter(name => !shown.has(name) || exported.get(specifier)?.has(name) !== true).map(name => `${name} of ${specifier}`),
  )
  assert.deepEqual(missing, [])
})

test('examples compile', () => {
  const compiler = join(root, 'node_modules', '.bin', 'tsc')
  const { status, stdout } = spawnSync(compiler, ['-p', folder, '--noEmit', '--pretty', 'false'], { cwd: root, encoding: 'utf8' })
  const located = stdout.replace(/^\S*example-(\d+)\.ts/gm, (_, index: string) => titleOf(examples[Number(index)]))
  assert.equal(status, 0, `\n${located}`)
})

describe('examples run', () => {
  before(() => process.chdir(join(folder, 'run')))
  after(() => process.chdir(root))
  examples.forEach((one, index) => {
    const skip = notRun[one.owner] ?? false
    test(titleOf(one), { skip, timeout: 20_000 }, async context => {
      context.mock.method(console, 'log', () => {})
      await using given = new Given()
      const { example } = (await import(pathToFileURL(fileOf(index)).href)) as { example: (given: Given) => Promise<void> }
      await example(given)
    })
  })
})
