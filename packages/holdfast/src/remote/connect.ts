/** How the client commands reach a server: the SMB client, in the commands' terms. */

import { SmbClient, SmbError, type SmbEntry, type SmbShare } from '@holdfast/smb/client'
import type { ConnectRemote, RemoteEntry, RemoteFiles } from './remote.ts'

/** The client's codes (as Node's) in the words that the commands ask for. */
const codes: Readonly<Record<string, string>> = {
  ENOENT: 'not-found',
  EEXIST: 'exists',
  ENOTEMPTY: 'not-empty',
  EACCES: 'access-denied',
  EPERM: 'access-denied',
  EISDIR: 'is-folder',
  ENOTDIR: 'not-folder',
  ENOSPC: 'no-space',
  EDQUOT: 'quota',
  EROFS: 'read-only',
  EBUSY: 'busy',
  // Of a folder: it is there, whoever made it.
  OUTCOME_UNKNOWN: 'exists',
}

/** Rejects with what the client said, under the commands' code. */
async function translated<T>(action: Promise<T>): Promise<T> {
  try {
    return await action
  } catch (error) {
    throw translate(error)
  }
}

function translate(error: unknown): unknown {
  if (!(error instanceof SmbError)) return error
  return Object.assign(new Error(error.message, { cause: error }), { code: codes[error.code] ?? error.code })
}

async function* translatedItems<T>(items: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  try {
    yield* items
  } catch (error) {
    throw translate(error)
  }
}

const entryOf = ({ name, kind, sizeBytes, writtenAt }: SmbEntry): RemoteEntry => ({ name, kind, sizeBytes, writtenAt })

function filesOf(share: SmbShare): RemoteFiles {
  return {
    async stat(path) {
      try {
        return entryOf(await share.stat(path))
      } catch (error) {
        if (error instanceof SmbError && error.code === 'ENOENT') return undefined
        throw translate(error)
      }
    },
    async *list(path, options = {}) {
      for await (const entry of translatedItems(share.list(path, options))) yield entryOf(entry)
    },
    async *read(path, options = {}) {
      await using file = await translated(share.open(path, options))
      yield* translatedItems(file.chunks({}, options))
    },
    write: (path, chunks, options = {}) => translated(share.writeFile(path, chunks, options)),
    makeFolder: path => translated(share.mkdir(path)),
    removeFile: path => translated(share.remove(path)),
    removeFolder: path => translated(share.removeFolder(path)),
  }
}

/** Connects and logs in. */
export const connectRemote: ConnectRemote = async ({ host, port, user, domain, password }, onInterruption) => {
  const client = await translated(
    SmbClient.connect({
      host,
      port,
      user,
      password,
      ...(domain === '' ? {} : { domain }),
      ...(onInterruption === undefined ? {} : { onInterruption: ({ kind }) => onInterruption(kind) }),
    }),
  )
  return {
    shares: () => translated(client.shares()),
    share: async name => filesOf(await translated(client.share(name))),
    [Symbol.asyncDispose]: () => client.close(),
  }
}
