import type { Server } from 'node:net'
import type { InheritedSocket, ListeningAddress, UnixSocket } from './client.ts'

const backlog = 511
/** A socket that is made while this is the mask belongs to its owner alone: there is no moment at which others could connect. */
const forOwnerAlone = 0o177

/** Makes the server listen; `onListening` and its `error` event tell how that went. */
export function listenAt(server: Server, where: ListeningAddress | InheritedSocket | UnixSocket, onListening: () => void): void {
  if ('descriptor' in where) server.listen({ fd: where.descriptor, backlog }, onListening)
  else if ('path' in where) listenOnUnixSocket(server, where.path, onListening)
  else server.listen({ host: where.host, port: where.port, backlog }, onListening)
}

function listenOnUnixSocket(server: Server, path: string, onListening: () => void): void {
  const before = process.umask(forOwnerAlone)
  try {
    // Binds before it returns.
    server.listen({ path, backlog }, onListening)
  } finally {
    process.umask(before)
  }
}
