/** The socket by which a running director or server agent tells how it is: it writes one line of JSON to whoever connects. */

import { once } from 'node:events'
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { CommandError } from '../commands/context.ts'
import { socketPath } from '../control/socket-path.ts'

/** Which one: those of an interface, in a folder. */
export interface ControlName {
  readonly role: 'director' | 'server-agent'
  readonly dev: string
  readonly runDir: string
}

const pathOf = ({ role, dev, runDir }: ControlName): string => `${runDir}/${role}-${dev}.sock`
const longer = { director: 'director', 'server-agent': 'server agent' } as const
const nobodyThere: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ECONNREFUSED'])

/** What the one that runs says; undefined where none does. */
export async function askStatus(name: ControlName): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    using to = socketPath(pathOf(name))
    const socket = connect({ path: to.path })
    await once(socket, 'connect')
    return JSON.parse(await text(socket)) as Record<string, unknown>
  } catch (error) {
    if (nobodyThere.has((error as NodeJS.ErrnoException).code)) return undefined
    throw error
  }
}

/** As `askStatus`, for who expects one to run. */
export async function mustAskStatus(name: ControlName): Promise<Readonly<Record<string, unknown>>> {
  const status = await askStatus(name)
  if (status === undefined) throw new CommandError(`no ${longer[name.role]} runs for ${name.dev} (there is nobody at ${pathOf(name)})`, 'NOT_RUNNING')
  return status
}

/** Throws `CommandError` when one runs already: two would take each other's connections for their own. */
export async function demandAlone(name: ControlName): Promise<void> {
  const status = await askStatus(name)
  if (status === undefined) return
  throw new CommandError(`a ${longer[name.role]} runs already for ${name.dev} (pid ${String(status['pid'])})`, 'RUNNING')
}

/** Listens until it is disposed of. */
export async function serveStatus(name: ControlName, status: () => Promise<object>): Promise<AsyncDisposable> {
  const path = pathOf(name)
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  // Of one that was killed: `demandAlone` has seen that nobody is there.
  rmSync(path, { force: true })
  const server = createServer(socket => {
    // Who asks may be gone before the answer is.
    socket.on('error', () => undefined)
    status().then(
      object => socket.end(`${JSON.stringify(object)}\n`),
      error => socket.destroy(error as Error),
    )
  })
  using at = socketPath(path)
  server.listen({ path: at.path })
  await once(server, 'listening')
  chmodSync(path, 0o600)
  return {
    [Symbol.asyncDispose]: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        rmSync(path, { force: true })
      }),
  }
}
