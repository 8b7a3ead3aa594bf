/** A server in memory, for tests of the commands. */

import type { ConnectRemote, RemoteCredentials, RemoteEntry, RemoteFiles } from '../remote/remote.ts'

/** Path -> content; a folder is `null`. */
export type Tree = Map<string, Buffer | null>

class RemoteError extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

const writtenAt = new Date('2026-11-21T03:00:00Z')

export function memoryFiles(tree: Tree): RemoteFiles {
  const entryOf = (path: string): RemoteEntry | undefined => {
    const content = path === '' ? null : tree.get(path)
    if (content === undefined) return undefined
    return { name: path.slice(path.lastIndexOf('/') + 1), kind: content === null ? 'folder' : 'file', sizeBytes: content?.length ?? 0, writtenAt }
  }
  const children = (folder: string) => [...tree.keys()].filter(path => path.slice(0, Math.max(path.lastIndexOf('/'), 0)) === folder)
  return {
    stat: path => Promise.resolve(entryOf(path)),
    async *list(path) {
      for (const child of children(path)) yield entryOf(child)!
    },
    async *read(path) {
      const content = tree.get(path)
      if (!content) throw new RemoteError('not-found')
      for (let at = 0; at < content.length; at += 5) yield content.subarray(at, at + 5)
    },
    async write(path, chunks) {
      const parts: Uint8Array[] = []
      for await (const chunk of chunks) parts.push(chunk)
      tree.set(path, Buffer.concat(parts))
    },
    async makeFolder(path) {
      if (tree.has(path)) throw new RemoteError('exists')
      const parent = path.slice(0, Math.max(path.lastIndexOf('/'), 0))
      if (entryOf(parent)?.kind !== 'folder') throw new RemoteError('path-not-found')
      tree.set(path, null)
    },
    async removeFile(path) {
      if (!tree.delete(path)) throw new RemoteError('not-found')
    },
    async removeFolder(path) {
      if (children(path).length > 0) throw new RemoteError('not-empty')
      tree.delete(path)
    },
  }
}

/** A server with one share, `docs`; `connections` gets what it was connected with. */
export function memoryServer(tree: Tree, connections: RemoteCredentials[]): ConnectRemote {
  return credentials => {
    connections.push(credentials)
    if (credentials.password !== 'secret') return Promise.reject(Object.assign(new Error('wrong user or password'), { code: 'logon-failure' }))
    return Promise.resolve({
      shares: () =>
        Promise.resolve([
          { name: 'docs', kind: 'disk', comment: 'Papers' },
          { name: 'IPC$', kind: 'ipc', comment: '' },
        ]),
      share: name =>
        name === 'docs'
          ? Promise.resolve(memoryFiles(tree))
          : Promise.reject(Object.assign(new Error(`there is no share ${name}`), { code: 'not-found' })),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    })
  }
}
