import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blank, importsOf } from './architecture/imports.ts'
import { readRepository } from './architecture/repository.ts'
import type { Repository, Room } from './architecture/repository.ts'
import { architectureRules } from './architecture/rules.ts'
import { maxLines, tidyRules } from './architecture/tidy.ts'
import { root } from './run/root.ts'

const rules = [...architectureRules, ...tidyRules]
const real = readRepository(root)

for (const name of new Set(rules.map(rule => rule.name))) {
  test(name, () => {
    const violations = rules.filter(rule => rule.name === name).flatMap(rule => rule.check(real))
    assert.equal(violations.map(({ path, line, message }) => `\n  ${path}:${line} ${message}`).join(''), '')
  })
}

/** A small repository that keeps every rule. */
function tidyRepository(changes: Readonly<Record<string, string>> = {}, rooms: readonly Room[] = []): Repository {
  const files: Record<string, string> = {
    'ARCHITECTURE.md': ['wire', 'engine', 'smb', 'rdma', 'holdfast'].map(name => `| \`packages/${name}/\` | … |`).join('\n'),
    'packages/wire/src/index.ts': '/** A number. */\nexport const one = 1\n',
    'packages/engine/src/index.ts': '/** A number. */\nexport const two = 2\n',
    'packages/smb/src/index.ts': "export * from './messages/index.ts'\n",
    'packages/smb/src/messages/index.ts': "import { one } from '@holdfast/wire'\n/** A number. */\nexport const three = one + 2\n",
    'packages/smb/src/server/index.ts': "import { three } from '../messages/index.ts'\n/** A number. */\nexport const four = three + 1\n",
    'packages/smb/src/client/index.ts': "import { three } from '../messages/index.ts'\n/** A number. */\nexport const five = three + 2\n",
    ...changes,
  }
  const room = (name: string, dependencies: readonly string[], exports: Readonly<Record<string, string>> = {}): Room => ({
    name: name === 'holdfast' ? name : `@holdfast/${name}`,
    folder: `packages/${name}`,
    exports: { '.': './src/index.ts', ...exports },
    dependencies,
  })
  const standard = [
    room('wire', []),
    room('engine', []),
    room('smb', ['@holdfast/wire', '@holdfast/engine'], { './server': './src/server/index.ts', './client': './src/client/index.ts' }),
    room('rdma', ['@holdfast/smb']),
    room('holdfast', ['@holdfast/smb']),
  ]
  return {
    rooms: standard.map(one => rooms.find(({ name }) => name === one.name) ?? one),
    files: Object.entries(files).map(([path, text]) => ({ path, text })),
    testDependencies: ['fast-check'],
  }
}

/** Names of the rules that a repository breaks. */
const broken = (repository: Repository): string[] => [...new Set(rules.filter(rule => rule.check(repository).length > 0).map(rule => rule.name))]

test('a repository that keeps the rules breaks none', () => {
  assert.deepEqual(broken(tidyRepository()), [])
})

const server = 'packages/smb/src/server/index.ts'
const breaches: readonly (readonly [title: string, path: string, text: string, rule: string])[] = [
  ['an undeclared package', server, "import '@holdfast/posix'", 'imports only what package.json declares'],
  ['an undeclared package in a dynamic import', server, "await import('left-pad')", 'imports only what package.json declares'],
  ['an undeclared package in a re-export', server, "export { a } from 'zod'", 'imports only what package.json declares'],
  ['a test dependency in the product', server, "import fc from 'fast-check'", 'imports only what package.json declares'],
  ['a relative path into another room', server, "import { two } from '../../../engine/src/index.ts'", 'relative imports stay in the room'],
  [
    'a relative path to a worker of another room',
    server,
    "new URL('../../../engine/src/worker.ts', import.meta.url)",
    'relative imports stay in the room',
  ],
  ['an undeclared subpath', server, "import type { X } from '@holdfast/engine/src/ring.ts'", 'package imports use declared subpaths'],
  ['a server that imports the client', server, "import { five } from '../client/index.ts'", 'server and client never import each other'],
  [
    'a server that imports the client by its name',
    server,
    "import { five } from '@holdfast/smb/client'",
    'server and client never import each other',
  ],
  ['a client that imports the server', 'packages/smb/src/client/read.ts', "import '../server/index.ts'", 'server and client never import each other'],
  ['a target that imports the initiator', 'packages/smb/src/target/a.ts', "import '../initiator/b.ts'", 'server and client never import each other'],
  [
    'messages that import the server',
    'packages/smb/src/messages/a.ts',
    "import '../server/index.ts'",
    'messages and security know neither server nor client',
  ],
  [
    'security that imports the client',
    'packages/smb/src/security/a.ts',
    "import '../client/index.ts'",
    'messages and security know neither server nor client',
  ],
  ['wire that imports I/O', 'packages/wire/src/a.ts', "import { readFileSync } from 'node:fs'", 'codecs do no I/O'],
  ['messages that import I/O', 'packages/smb/src/messages/a.ts', "import net from 'node:net'", 'codecs do no I/O'],
  ['engine that imports smb', 'packages/engine/src/a.ts', "import '@holdfast/smb'", 'engine knows no protocol'],
  ['engine that names a protocol', 'packages/engine/src/a.ts', 'const smbHeaderBytes = 64', 'engine knows no protocol'],
  ['a package that imports testing', server, "import { root } from '../../../../testing/run/root.ts'", 'the product imports no tests or tools'],
  ['a package that imports testing by its name', server, "import '@holdfast/testing'", 'the product imports no tests or tools'],
  ['a room that imports the product', server, "import 'holdfast'", 'only holdfast knows everybody'],
  ['rdma that imports smb', 'packages/rdma/src/index.ts', "import '@holdfast/smb'", 'rdma never imports smb'],
  ['a drawing without a room', 'ARCHITECTURE.md', '| `packages/wire/` | … |', 'ARCHITECTURE.md lists every room'],
  ['a drawing with a room that is gone', 'ARCHITECTURE.md', '| `packages/attic/` | … |', 'ARCHITECTURE.md lists every room'],
  ['a long file', server, '/** . */\n'.repeat(maxLines + 1), `no file over ${maxLines} lines`],
  ['a mark of unfinished work', server, `// ${['TO', 'DO'].join('')}: later`, 'nothing is marked as unfinished'],
  ["a machine's path", 'docs/a.md', `see /${['wo', 'rk'].join('')}/main`, 'no path of one machine'],
  ['a metric that is not on its page', server, "counters.counter('holdfast_new_things_total', 'New')", 'docs/metrics.md names every metric'],
  ['a metric in a table that is not on its page', server, '  holdfast_new_things_total: [1],', 'docs/metrics.md names every metric'],
  ['a page with a metric that is gone', 'docs/metrics.md', '| `holdfast_old_things_total` | |', 'docs/metrics.md names every metric'],
  ['an export without a docstring', server, 'export function four(): number {\n  return 4\n}\n', 'every export of a room has a docstring'],
  ['a re-exported one without a docstring', 'packages/smb/src/messages/index.ts', 'export interface A {}', 'every export of a room has a docstring'],
  ['a listed one without a docstring', server, 'const a = 1\nexport { a }', 'every export of a room has a docstring'],
]

for (const [title, path, text, rule] of breaches) {
  test(`${title} breaks "${rule}"`, () => {
    assert.ok(broken(tidyRepository({ [path]: text })).includes(rule), `broke ${JSON.stringify(broken(tidyRepository({ [path]: text })))}`)
  })
}

test('a cycle of rooms breaks "rooms depend on each other without cycles"', () => {
  const wire: Room = { name: '@holdfast/wire', folder: 'packages/wire', exports: { '.': './src/index.ts' }, dependencies: ['@holdfast/smb'] }
  assert.ok(broken(tidyRepository({}, [wire])).includes('rooms depend on each other without cycles'))
})

test('what stands in a comment or a string is no import', () => {
  const source = ['/* import "a" */', "// import 'b'", 'const text = "import \'c\'"', 'const slash = /[\'"`]/', "import d from 'd'"].join('\n')
  assert.deepEqual(importsOf(blank(source)), [{ specifier: 'd', line: 5 }])
})

test('a test may use development dependencies, and both ends of its protocol', () => {
  const text = "import fc from 'fast-check'\nimport { five } from '../client/index.ts'\n"
  assert.deepEqual(broken(tidyRepository({ 'packages/smb/src/server/a.test.ts': text })), [])
})

test('a build may use what its room is developed with, the product may not', () => {
  const smb = { ...tidyRepository().rooms.find(({ name }) => name === '@holdfast/smb'), devDependencies: ['vite'] } as Room
  assert.deepEqual(broken(tidyRepository({ 'packages/smb/vite.config.ts': "import 'vite'\n" }, [smb])), [])
  assert.deepEqual(broken(tidyRepository({ 'packages/smb/src/a.ts': "import 'vite'\n" }, [smb])), ['imports only what package.json declares'])
})
