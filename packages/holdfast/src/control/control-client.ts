/** Managing the volumes of a node that runs on this machine, over its control socket. */

import { request } from 'node:http'
import { CommandError } from '../commands/context.ts'
import { volumeOptionWords } from '../config/volumes.ts'
import type { VolumeService } from '../volumes/service.ts'
import type { SnapshotView, VolumeView } from '../volumes/volume.ts'
import { socketPath } from './socket-path.ts'

interface Asked {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: object
}

/** True when somebody answers there. */
export async function controlSocketAnswers(path: string): Promise<boolean> {
  try {
    await ask(path, { method: 'GET', path: '/' })
    return true
  } catch (error) {
    if (error instanceof CommandError) return true
    // No socket, or one of a process that is gone.
    if (['ENOENT', 'ECONNREFUSED', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

/** Rejects with CommandError, whose `code` is the node's, and with Node's errors where nobody is there. */
export function controlVolumeService(path: string): VolumeService {
  const call = <T>(method: Asked['method'], route: string, body?: object): Promise<T> =>
    ask(path, { method, path: `/v1/volumes${route}`, ...(body && { body }) }) as Promise<T>
  return {
    list: async () => (await call<{ readonly items: readonly VolumeView[] }>('GET', '')).items,
    get: name => call('GET', `/${name}`),
    create: ({ name, sizeBytes, blockBytes, from, access }) =>
      call('POST', '', {
        name,
        options: volumeOptionWords({ ...access, ...(blockBytes !== undefined && { blockBytes }) }),
        ...(sizeBytes !== undefined && { size: sizeBytes }),
        ...(from && { from: `${from.volume}@${from.snapshot}` }),
      }),
    resize: (name, sizeBytes) => call('PATCH', `/${name}`, { size: sizeBytes }),
    setAccess: (name, access) => call('PATCH', `/${name}`, { options: volumeOptionWords(access) }),
    createSnapshot: (name, snapshot) => call<SnapshotView>('POST', `/${name}/snapshots`, { name: snapshot }),
    deleteSnapshot: (name, snapshot) => call('DELETE', `/${name}/snapshots/${snapshot}`),
    delete: name => call('DELETE', `/${name}`),
  }
}

/** Resolves to the content of an answer that is no problem. */
async function ask(path: string, asked: Asked): Promise<unknown> {
  using socket = socketPath(path)
  const { status, text } = await exchange(socket.path, asked)
  const content = text === '' ? undefined : (JSON.parse(text) as unknown)
  if (status < 400) return content
  const { detail = `the node answers ${status}`, code } = content as { readonly detail?: string; readonly code?: string }
  throw new CommandError(detail, code ?? `HTTP_${status}`)
}

function exchange(socket: string, { method, path, body }: Asked): Promise<{ readonly status: number; readonly text: string }> {
  const content = body === undefined ? '' : JSON.stringify(body)
  const headers = { Host: 'localhost', 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(content)) }
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: socket, method, path, headers, agent: false }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }))
    })
    sent.on('error', reject)
    sent.end(content)
  })
}
