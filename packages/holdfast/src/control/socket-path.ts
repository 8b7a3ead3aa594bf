/** Paths of Unix sockets, which must be short: unix(7) gives them 108 bytes, with a zero at the end. */

import { closeSync, constants, openSync } from 'node:fs'
import { basename, dirname } from 'node:path'

const pathBytesMax = 107

/** A path for `listen` and `connect`, good until it is disposed of. */
export interface SocketPath extends Disposable {
  readonly path: string
}

/** The socket at `path`; by a descriptor of its folder where the path is too long (Linux only). Throws the filesystem's errors. */
export function socketPath(path: string): SocketPath {
  if (Buffer.byteLength(path) <= pathBytesMax || process.platform !== 'linux') return { path, [Symbol.dispose]() {} }
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  return { path: `/proc/self/fd/${folder}/${basename(path)}`, [Symbol.dispose]: () => closeSync(folder) }
}
