import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A text file of the repository; `path` is relative to the root, with `/`. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** What the rules need of a room's package.json. */
export interface Room {
  readonly name: string
  /** Relative to the root: `packages/wire`. */
  readonly folder: string
  /** Keys are subpaths as in package.json (`.`, `./server`), values files relative to the folder. */
  readonly exports: Readonly<Record<string, string>>
  readonly dependencies: readonly string[]
  /** What its tests and `*.config.ts` may import as well. */
  readonly devDependencies?: readonly string[]
}

/** Everything the architecture rules look at, so that a test can make one in memory. */
export interface Repository {
  readonly rooms: readonly Room[]
  readonly files: readonly SourceFile[]
  /** Development dependencies of the root: what tests may import as well. */
  readonly testDependencies: readonly string[]
}

/** One breach of one rule, worded for the person who has to mend it. */
export interface Violation {
  readonly rule: string
  readonly path: string
  readonly line: number
  readonly message: string
}

interface Manifest {
  readonly name: string
  readonly exports?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const textFiles = /\.(tsx?|js|mjs|c|h|md|json|sh|ya?ml|html|css|txt|tsv)$|^\.ci\/|^LICENSE$/

/** Reads the rooms' manifests and all text files, without what is installed or generated. */
export function readRepository(root: string): Repository {
  const skipped = new Set(['node_modules', '.git', '.holdfast', 'data', 'tmp', 'dist'])
  const paths = globSync('**/*', { cwd: root, exclude: name => skipped.has(name.split(/[\\/]/).at(-1) ?? '') })
    .concat(existsSync(join(root, '.ci', 'run')) ? ['.ci/run'] : [])
    .map(path => path.replaceAll('\\', '/'))
    .filter(path => textFiles.test(path) && path !== 'package-lock.json')
  const files = paths.sort().map(path => ({ path, text: readFileSync(join(root, path), 'utf8') }))
  const manifest = (path: string): Manifest => JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest
  const rooms = globSync('packages/*/package.json', { cwd: root })
    .map(path => path.replaceAll('\\', '/'))
    .sort()
    .map(path => {
      const { name, exports = {}, dependencies = {}, devDependencies = {} } = manifest(path)
      const folder = path.replace(/\/package\.json$/, '')
      return { name, folder, exports, dependencies: Object.keys(dependencies), devDependencies: Object.keys(devDependencies) }
    })
  return { rooms, files, testDependencies: Object.keys(manifest('package.json').devDependencies ?? {}) }
}

/** The room a file belongs to, undefined outside `packages/`. */
export function roomOf(repository: Repository, path: string): Room | undefined {
  return repository.rooms.find(room => path.startsWith(`${room.folder}/`))
}

/** True for tests and what only tests load: they may use what a product file may not. */
export function isTest(path: string): boolean {
  return /\.(test|fuzz|bench|decoders)\.ts$|\/test-support\/|\/testing\//.test(path)
}
