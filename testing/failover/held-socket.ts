/** What systemd does for a service with a socket unit: the socket listens whether the service runs or not (sd_listen_fds(3)). */
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import { closeDescriptor, duplicateDescriptor } from '@holdfast/posix/socket'
import { root } from '../run/root.ts'

/** A socket of loopback that listens, and that nobody here accepts connections from. */
export interface HeldSocket extends AsyncDisposable {
  readonly port: number
  readonly descriptor: number
}

/** The product with its output, as `startActivated` gives it. */
export type ActivatedProcess = ChildProcessByStdio<null, Readable, Readable>

/** Listens on a free port until it is disposed of. */
export async function holdSocket(): Promise<HeldSocket> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  // net's own descriptor would accept what comes; a second one of the same socket keeps it listening and does nothing else.
  const descriptor = duplicateDescriptor((server as unknown as { readonly _handle: { readonly fd: number } })._handle.fd)
  server.close()
  await once(server, 'close')
  return {
    port,
    descriptor,
    async [Symbol.asyncDispose]() {
      closeDescriptor(descriptor)
    },
  }
}

/** Starts node with `args` and passes the socket on. LISTEN_PID is the process's own number, which only a shell knows beforehand. */
export function startActivated(socket: HeldSocket, args: readonly string[], env: Readonly<Record<string, string>> = {}): ActivatedProcess {
  return spawn('/bin/sh', ['-c', 'LISTEN_PID=${LISTEN_PID:-$$} exec "$@"', 'sh', process.execPath, ...args], {
    cwd: root,
    env: { ...process.env, LISTEN_FDS: '1', LISTEN_FDNAMES: 'smb', ...env },
    stdio: ['ignore', 'pipe', 'pipe', socket.descriptor],
  }) as ActivatedProcess
}
