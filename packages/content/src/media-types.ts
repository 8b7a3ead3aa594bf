/** Media types by a name's extension (RFC 9110 8.3). */

import { mimes } from 'mrmime'

/** What nothing is known of. */
const unknown = 'application/octet-stream'
/** Text that says nothing of its encoding is UTF-8 nowadays; a browser would take it for something older. */
const isText = (type: string): boolean => type.startsWith('text/') || type === 'application/javascript'
/** Documents that may have scripts in them, in a browser. */
const scriptable = /^(?:text\/html|text\/xml|application\/xml|[^/]+\/[^/;]*\+xml)(?:;|$)/

/** The value of Content-Type, and whether a browser may run scripts that are in it. */
export interface MediaType {
  readonly value: string
  readonly isScriptable: boolean
}

const byExtension = new Map<string, MediaType>()
const extensionsMax = 1024

/** By what follows the last dot, in any case. */
export function mediaTypeOf(name: string): MediaType {
  const dot = name.lastIndexOf('.')
  const extension = dot < 0 ? '' : name.slice(dot + 1).toLowerCase()
  const known = byExtension.get(extension)
  if (known !== undefined) return known
  const type = Object.hasOwn(mimes, extension) ? mimes[extension] : unknown
  const media = { value: isText(type) ? `${type}; charset=utf-8` : type, isScriptable: scriptable.test(type) }
  if (byExtension.size < extensionsMax) byExtension.set(extension, media)
  return media
}
