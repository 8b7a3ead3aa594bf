/** Places in the shares as URLs name them: `/share/folder/file`. */

import { splitTarget } from '@holdfast/http'
import { decodeName, encodeName } from '@holdfast/storage'

/** What a path leads to. */
export interface Location {
  /** `''` for the list of shares. */
  readonly share: string
  /** In the share's filesystem: names as they are over SMB. */
  readonly path: string
  /** It ends with a slash, as those of folders do. */
  readonly isFolder: boolean
}

const percent = 0x25

/** Bytes of a component; undefined where a percent sign is not followed by two hexadecimal digits (RFC 3986 2.1). */
function percentDecoded(component: string): Buffer | undefined {
  const bytes = Buffer.from(component, 'latin1')
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== percent) {
      bytes[length++] = bytes[at]
      continue
    }
    const digits = component.slice(at + 1, at + 3)
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return undefined
    bytes[length++] = Number.parseInt(digits, 16)
    at += 2
  }
  return bytes.subarray(0, length)
}

/** Neither NUL nor a slash is in a name, and dots go nowhere: clients resolve them before they ask (RFC 3986 5.2.4). */
const isName = (bytes: Buffer): boolean =>
  bytes.length > 0 && !bytes.includes(0) && !bytes.includes(0x2f) && !/^\.\.?$/.test(bytes.toString('latin1'))

/** What most paths are made of: the same in a URL and in a filesystem. */
const plain = /^(?:\/[A-Za-z0-9_~!$&'()+,;=@-][A-Za-z0-9_.~!$&'()+,;=@-]*(?<!\.))+\/?$/

/**
 * Understands the path of a request target; undefined for what cannot be the path of anything.
 *
 * @example
 * readLocation('/docs/a%20b/') // => { share: 'docs', path: 'a b', isFolder: true }
 */
export function readLocation(path: string): Location | undefined {
  if (path === '/') return { share: '', path: '', isFolder: true }
  if (!path.startsWith('/')) return undefined
  const isFolder = path.endsWith('/')
  const named = path.slice(1, isFolder ? -1 : undefined)
  if (plain.test(path)) {
    const slash = named.indexOf('/')
    return slash === -1 ? { share: named, path: '', isFolder } : { share: named.slice(0, slash), path: named.slice(slash + 1), isFolder }
  }
  const [share, ...names] = named.split('/').map(percentDecoded)
  if (share === undefined || !isName(share) || !names.every(name => name !== undefined && isName(name))) return undefined
  return { share: share.toString('utf8'), path: (names as Buffer[]).map(name => decodeName(name)).join('/'), isFolder }
}

/** What a request target leads to, and its query. */
interface Place {
  /** Undefined for what cannot be the path of anything. */
  readonly at: Location | undefined
  readonly query: string
}

const placesMax = 1024

/** Places of targets that were asked for lately: they are asked for again. */
export class Places {
  readonly #known = new Map<string, Place>()

  find(target: string): Place {
    const known = this.#known.get(target)
    if (known !== undefined) return known
    const { path, query } = splitTarget(target)
    const place = { at: readLocation(path), query }
    if (this.#known.size === placesMax) this.#known.clear()
    this.#known.set(target, place)
    return place
  }
}

/** The bytes of a name, as others on the machine know it; SMB shows some characters as others. */
function bytesOf(name: string): Buffer {
  try {
    const encoded = encodeName(name)
    return typeof encoded === 'string' ? Buffer.from(encoded, 'latin1') : encoded
  } catch {
    // A filesystem of one's own may have names that folders cannot have.
    return Buffer.from(name, 'utf8')
  }
}

/** How a name is shown to people. */
export const shownName = (name: string): string => bytesOf(name).toString('utf8')

const unreserved = /^[A-Za-z0-9._~-]*$/

/** A name as a component of a URL (RFC 3986 3.3). */
export function urlComponent(name: string): string {
  if (unreserved.test(name) && !name.endsWith('.')) return name
  let url = ''
  for (const byte of bytesOf(name)) {
    const character = String.fromCharCode(byte)
    url += unreserved.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return url
}

/** The path of a place, with the slash of a folder. */
export function urlOf({ share, path, isFolder }: Location): string {
  if (share === '') return '/'
  const components = [share, ...(path === '' ? [] : path.split('/'))]
  return `/${components.map(urlComponent).join('/')}${isFolder ? '/' : ''}`
}
