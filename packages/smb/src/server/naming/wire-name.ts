/**
 * Names in requests (MS-FSCC 2.1.5, MS-SMB2 3.3.5.9) and the filesystem's paths.
 *
 * A CREATE names `folder\file:stream:$DATA`, relative to the share's root; a filesystem wants the path `folder/file` and the
 * stream `stream`. Names are UTF-16 code units both times, unpaired surrogates included: nothing is converted.
 */
import { NtStatus } from '../../messages/nt-status.ts'

/** What a wire name means. */
export interface ParsedName {
  readonly status: typeof NtStatus.SUCCESS
  /** Components separated by `/`; `''` is the share's root. */
  readonly path: string
  /** `''` is the data stream (or a folder itself). */
  readonly stream: string
  /**
   * Undefined where the name has no stream part. `data`: `:stream`, `:stream:$DATA` or `::$DATA` (a folder opened by the
   * last is FILE_IS_A_DIRECTORY). `index`: `::$INDEX_ALLOCATION` or `:$I30:$INDEX_ALLOCATION`, which is a folder.
   */
  readonly streamType: 'data' | 'index' | undefined
  /** It ends in a backslash or names an index: anything but a folder is wrong (MS-FSA 2.1.5.1). */
  readonly mustBeFolder: boolean
}

/** Why a name is none: STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_INVALID or, for one that goes above the share, STATUS_OBJECT_PATH_SYNTAX_BAD. */
export interface RefusedName {
  readonly status: typeof NtStatus.INVALID_PARAMETER | typeof NtStatus.OBJECT_NAME_INVALID | typeof NtStatus.OBJECT_PATH_SYNTAX_BAD
}

const invalid: RefusedName = Object.freeze({ status: NtStatus.OBJECT_NAME_INVALID })
const syntaxBad: RefusedName = Object.freeze({ status: NtStatus.OBJECT_PATH_SYNTAX_BAD })
const invalidParameter: RefusedName = Object.freeze({ status: NtStatus.INVALID_PARAMETER })

/** A component has at most 255 code units (MS-FSCC 2.1.5.2), a stream's name as well (2.1.5.3). */
export const maxComponentUnits = 255
/** A path has at most 32,760 code units (MS-FSCC 2.1.5). */
export const maxPathUnits = 32_760

/** Characters a file's name must not have (MS-FSCC 2.1.5.2): controls and `" * / : < > ? \ |`. */
const forbiddenInName = /[\x00-\x1f"*/:<>?\\|]/
/** Characters a stream's name must not have (MS-FSCC 2.1.5.3). */
const forbiddenInStream = /[\x00/:\\]/

/**
 * Is this the name of a file or folder? Dot directories are not (MS-FSCC 2.1.5.1). Trailing dots and spaces are part of a name:
 * the rule that takes them away is that of the Win32 programming interface, not of the protocol.
 */
export function isComponentName(name: string): boolean {
  return name !== '' && name.length <= maxComponentUnits && name !== '.' && name !== '..' && !forbiddenInName.test(name)
}

/** Is this the name of a named stream? */
export function isStreamName(name: string): boolean {
  return name !== '' && name.length <= maxComponentUnits && !forbiddenInStream.test(name)
}

interface StreamPart {
  readonly stream: string
  readonly type: 'data' | 'index'
}

/** What follows the first colon: `name`, `name:type`, `:type` (MS-FSCC 2.1.5.3, 2.1.5.4). */
function parseStreamPart(text: string): StreamPart | undefined {
  const parts = text.split(':')
  if (parts.length > 2) return undefined
  const [stream] = parts
  if (stream !== '' && !isStreamName(stream)) return undefined
  if (parts.length === 1) return stream === '' ? undefined : { stream, type: 'data' }
  const type = parts[1].toUpperCase()
  if (type === '$DATA') return { stream, type: 'data' }
  if (type === '$INDEX_ALLOCATION' && (stream === '' || stream.toUpperCase() === '$I30')) return { stream: '', type: 'index' }
  return undefined
}

/** Parses the name of a CREATE request, relative to the share (MS-SMB2 3.3.5.9). */
export function parseCreateName(name: string): ParsedName | RefusedName {
  if (name.charCodeAt(0) === 0x5c) return invalidParameter
  return parse(name)
}

/** Parses the target of a rename or link: a path as in CREATE (a leading backslash is allowed), or `:stream` for a stream's new name. */
export function parseRenameTarget(name: string): ParsedName | RefusedName {
  if (name === '') return invalidParameter
  return parse(name.charCodeAt(0) === 0x5c ? name.slice(1) : name)
}

/** Carries `..` out, as servers do; undefined where that would lead out of the share. */
function goUp(components: readonly string[]): readonly string[] | undefined {
  if (!components.includes('..')) return components
  const left: string[] = []
  for (const component of components) {
    if (component !== '..') left.push(component)
    else if (left.pop() === undefined) return undefined
  }
  return left
}

function parse(name: string): ParsedName | RefusedName {
  if (name === '') return { status: NtStatus.SUCCESS, path: '', stream: '', streamType: undefined, mustBeFolder: false }
  if (name.length > maxPathUnits) return invalid
  // Slashes separate as well: nothing can have one in its name, and some clients send what their users typed.
  const path = name.includes('/') ? name.replaceAll('/', '\\') : name
  const endsInSeparator = path.charCodeAt(path.length - 1) === 0x5c
  const components = (endsInSeparator ? path.slice(0, -1) : path).split('\\')
  const last = components.length - 1
  let streamPart: StreamPart | undefined
  const colon = components[last].indexOf(':')
  if (colon >= 0) {
    streamPart = parseStreamPart(components[last].slice(colon + 1))
    if (streamPart === undefined || endsInSeparator) return invalid
    components[last] = components[last].slice(0, colon)
    // `:stream` alone is a stream of the root.
    if (components[last] === '' && last === 0) components.pop()
  }
  if (!components.every(component => component === '..' || isComponentName(component))) return invalid
  const left = goUp(components)
  if (left === undefined) return syntaxBad
  return {
    status: NtStatus.SUCCESS,
    path: left.join('/'),
    stream: streamPart?.stream ?? '',
    streamType: streamPart?.type,
    mustBeFolder: endsInSeparator || streamPart?.type === 'index',
  }
}

/** A filesystem's path (and stream) as clients see it: backslashes, none in front, `:stream` at the end. */
export function wirePath(path: string, stream: string = ''): string {
  const text = path.includes('/') ? path.replaceAll('/', '\\') : path
  return stream === '' ? text : `${text}:${stream}`
}
