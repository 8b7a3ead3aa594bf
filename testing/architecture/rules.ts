/**
 * The rules that ARCHITECTURE.md states, as functions over the sources.
 *
 * Each returns what breaks it; an empty list means that it holds.
 */
import { blank, importsOf, lineAt, resolveRelative, splitPackage } from './imports.ts'
import type { Import } from './imports.ts'
import { isTest, roomOf } from './repository.ts'
import type { Repository, Room, SourceFile, Violation } from './repository.ts'

/** A rule of the architecture; `name` is what a violation is reported under. */
export interface Rule {
  readonly name: string
  readonly check: (repository: Repository) => Violation[]
}

/** An import by a file of a room. */
interface RoomImport extends Import {
  readonly room: Room
  readonly file: SourceFile
  /** The room a package import names, or the one a relative import ends in. */
  readonly target: Room | undefined
  /** The file a relative import names. */
  readonly targetPath: string | undefined
}

const workspacesOfTools = /^@holdfast\/(testing|bench|fuzz|examples)(\/|$)/
const modulesWithIo =
  /^(node:)?(fs|fs\/promises|net|tls|dgram|http|https|http2|dns|dns\/promises|child_process|cluster|worker_threads|os|process|readline|sqlite)$/

/** Folders of a room that only encode and decode: no I/O. */
const codecFolders: readonly string[] = ['packages/wire/src/', 'packages/smb/src/messages/', 'packages/iscsi/src/pdu/']

/** Folders of a room that are ends of the same protocol: neither imports the other. */
const ends: readonly (readonly [string, string])[] = [
  ['server', 'client'],
  ['target', 'initiator'],
]

/** Folders that both ends import, and that therefore import neither. */
const shared: readonly string[] = ['messages', 'security', 'pdu', 'scsi']

const protocolRooms = /^(@holdfast\/(smb|rpc|iscsi|rdma|handoff|management|cluster|storage|console)|holdfast)$/
const protocolWords = /\b\w*(smb|cifs|iscsi|srvsvc|ntlm|dcerpc)\w*\b/i

/** All imports by files of `packages/`, resolved as far as the rules need it. */
function roomImports(repository: Repository): RoomImport[] {
  return repository.files
    .filter(file => /\.tsx?$/.test(file.path))
    .flatMap(file => {
      const room = roomOf(repository, file.path)
      if (room === undefined) return []
      return importsOf(file.text).map(found => {
        const isRelative = found.specifier.startsWith('.')
        const targetPath = isRelative ? resolveRelative(file.path, found.specifier) : undefined
        const target =
          targetPath === undefined
            ? repository.rooms.find(other => other.name === splitPackage(found.specifier).name)
            : roomOf(repository, targetPath)
        return { ...found, room, file, target, targetPath }
      })
    })
}

/** Makes a rule that looks at one import at a time; `breach` gives the message of a breach. */
function importRule(name: string, breach: (found: RoomImport, repository: Repository) => string | undefined): Rule {
  return {
    name,
    check: repository =>
      roomImports(repository).flatMap(found => {
        const message = breach(found, repository)
        return message === undefined ? [] : [{ rule: name, path: found.file.path, line: found.line, message }]
      }),
  }
}

/** The folder of a room's `src/` a file lies in: `packages/smb/src/server/x.ts` -> `server`. */
function folderOf(path: string | undefined): string | undefined {
  return path?.match(/^packages\/[^/]+\/src\/([^/]+)\//)?.[1]
}

/** The folder an import leads to, within the importing file's own room. */
function folderOfTarget(found: RoomImport): string | undefined {
  if (found.targetPath !== undefined) return found.target === found.room ? folderOf(found.targetPath) : undefined
  if (found.target !== found.room) return undefined
  return folderOf(`${found.room.folder}/${found.room.exports[splitPackage(found.specifier).subpath]?.replace(/^\.\//, '') ?? ''}`)
}

const declared = importRule('imports only what package.json declares', (found, repository) => {
  const { specifier, room } = found
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined
  const { name } = splitPackage(specifier)
  if (name === room.name || room.dependencies.includes(name)) return undefined
  if (isTest(found.file.path) && repository.testDependencies.includes(name)) return undefined
  if (found.file.path.endsWith('.config.ts') && room.devDependencies?.includes(name) === true) return undefined
  return `imports ${specifier}, which ${room.folder}/package.json does not declare`
})

const ownRoom = importRule('relative imports stay in the room', found =>
  found.targetPath === undefined || found.targetPath.startsWith(`${found.room.folder}/`)
    ? undefined
    : `reaches out of ${found.room.folder} by ${found.specifier}; import the package by its name`,
)

const subpaths = importRule('package imports use declared subpaths', found => {
  if (found.targetPath !== undefined || found.target === undefined) return undefined
  const { subpath } = splitPackage(found.specifier)
  if (subpath in found.target.exports) return undefined
  return `imports ${found.specifier}; ${found.target.name} exports only ${Object.keys(found.target.exports).join(', ')}`
})

const separateEnds = importRule('server and client never import each other', found => {
  if (isTest(found.file.path)) return undefined
  const from = folderOf(found.file.path)
  const to = folderOfTarget(found)
  const breach = ends.some(([a, b]) => (from === a && to === b) || (from === b && to === a))
  return breach ? `${String(from)} imports ${String(to)} by ${found.specifier}; what both need belongs to messages or security` : undefined
})

const neutralMessages = importRule('messages and security know neither server nor client', found => {
  if (isTest(found.file.path)) return undefined
  const from = folderOf(found.file.path) ?? ''
  const to = folderOfTarget(found) ?? ''
  return shared.includes(from) && ends.flat().includes(to) ? `${from} imports ${to} by ${found.specifier}` : undefined
})

const codecsWithoutIo = importRule('codecs do no I/O', found => {
  if (isTest(found.file.path) || !codecFolders.some(folder => found.file.path.startsWith(folder))) return undefined
  if (modulesWithIo.test(found.specifier)) return `a codec imports ${found.specifier}`
  return found.target?.name === '@holdfast/posix' || found.target?.name === '@holdfast/engine' ? `a codec imports ${found.specifier}` : undefined
})

const engineImports = importRule('engine knows no protocol', found =>
  found.room.name === '@holdfast/engine' && !isTest(found.file.path) && protocolRooms.test(splitPackage(found.specifier).name)
    ? `engine imports ${found.specifier}`
    : undefined,
)

const engineWords: Rule = {
  name: 'engine knows no protocol',
  check: repository =>
    repository.files
      .filter(file => file.path.startsWith('packages/engine/src/') && file.path.endsWith('.ts') && !isTest(file.path))
      .flatMap(file => {
        const code = blank(file.text)
        const match = protocolWords.exec(code)
        if (match === null) return []
        const message = `engine's code names a protocol: ${match[0]}`
        return [{ rule: 'engine knows no protocol', path: file.path, line: lineAt(code, match.index), message }]
      }),
}

const noTools = importRule('the product imports no tests or tools', found => {
  const outside = found.targetPath !== undefined && /^(testing|bench|fuzz|examples|tools)\//.test(found.targetPath)
  return outside || workspacesOfTools.test(found.specifier) ? `imports ${found.specifier}` : undefined
})

const onlyProductKnowsAll = importRule('only holdfast knows everybody', found =>
  found.target?.name === 'holdfast' && found.room.name !== 'holdfast' ? `${found.room.name} imports the product, ${found.specifier}` : undefined,
)

const rdmaWithoutSmb = importRule('rdma never imports smb', found =>
  found.room.name === '@holdfast/rdma' && found.target?.name === '@holdfast/smb' ? `rdma imports ${found.specifier}` : undefined,
)

const noCycles: Rule = {
  name: 'rooms depend on each other without cycles',
  check: ({ rooms }) => {
    const dependencies = new Map(rooms.map(room => [room.name, room.dependencies]))
    const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
      (dependencies.get(from) ?? []).some(next => {
        if (next === to) return true
        if (seen.has(next)) return false
        seen.add(next)
        return reaches(next, to, seen)
      })
    return rooms
      .filter(room => reaches(room.name, room.name))
      .map(room => ({
        rule: 'rooms depend on each other without cycles',
        path: `${room.folder}/package.json`,
        line: 1,
        message: `${room.name} depends on itself through its dependencies`,
      }))
  },
}

const drawnRooms: Rule = {
  name: 'ARCHITECTURE.md lists every room',
  check: ({ rooms, files }) => {
    const path = 'ARCHITECTURE.md'
    const rule = 'ARCHITECTURE.md lists every room'
    const text = files.find(file => file.path === path)?.text ?? ''
    const listed = new Set([...text.matchAll(/^\| `packages\/([^/`]+)\/?` /gm)].map(match => match[1] ?? ''))
    const real = new Set(rooms.map(room => room.folder.replace('packages/', '')))
    const missing = [...real].filter(name => !listed.has(name)).map(name => `does not list packages/${name}`)
    const gone = [...listed].filter(name => !real.has(name)).map(name => `lists packages/${name}, which is not there`)
    return [...missing, ...gone].map(message => ({ rule, path, line: 1, message }))
  },
}

/** All rules, in the order they are reported. */
export const architectureRules: readonly Rule[] = [
  declared,
  ownRoom,
  subpaths,
  separateEnds,
  neutralMessages,
  codecsWithoutIo,
  engineImports,
  engineWords,
  noTools,
  onlyProductKnowsAll,
  rdmaWithoutSmb,
  noCycles,
  drawnRooms,
]
