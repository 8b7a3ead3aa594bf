/** Unmodified HTTP servers of others, and what they serve. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TemporaryFolder } from '../peers/folder.ts'
import { findProgram } from '../peers/packages.ts'
import { productMain } from '../peers/server.ts'
import type { Machine } from './machine.ts'
import { startProgram } from './program.ts'
import type { Program } from './program.ts'

/** What a folder of content has in it, by path. */
export interface Content {
  readonly folder: string
  readonly sha256: Readonly<Record<string, string>>
}

/** Sizes of the files of `makeContent`. */
export const fileBytes = { 'small.txt': 1024, 'middle.bin': 5 << 20, 'big.bin': 100 << 20 } as const

/** Random files below `/a/`, `/b/` or whatever `prefixes` are: a server that has another's prefix not answers 404 for it. */
export function makeContent(folder: string, prefixes: readonly string[], names = Object.keys(fileBytes) as (keyof typeof fileBytes)[]): Content {
  const sha256: Record<string, string> = {}
  for (const prefix of prefixes) {
    mkdirSync(join(folder, prefix), { recursive: true, mode: 0o755 })
    for (const name of names) {
      const bytes = randomBytes(fileBytes[name])
      writeFileSync(join(folder, prefix, name), bytes)
      sha256[`/${prefix}/${name}`] = createHash('sha256').update(bytes).digest('hex')
    }
  }
  return { folder, sha256 }
}

/** Where a server runs and what it serves, on port 80. */
export interface WebServerOptions {
  readonly machine: Machine
  /** For configuration, temporary files and the log. */
  readonly folder: TemporaryFolder
  /** In the header X-Server. */
  readonly name: string
  readonly content: string
}

const webPort = 80

/** nginx with its own file configuration: content, `/slow/` (the same, 40 MB/s), `/paused/` (4 MB in each second, at once), `/upload` (answers with the SHA-256 of what was sent; below it, a moment later), `/log`. */
export async function startNginx({ machine, folder, name, content }: WebServerOptions): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const own = folder.at(`nginx-${name}`)
  mkdirSync(own, { recursive: true })
  const socket = join(own, 'digest.sock')
  rmSync(socket, { force: true })
  stack.use(await startProgram([process.execPath, new URL('digest-server.ts', import.meta.url).pathname, socket], { ready: /^up/ }))
  const config = join(own, 'nginx.conf')
  writeFileSync(
    config,
    `daemon off; master_process off; user root; pid ${own}/pid; error_log ${own}/error.log warn; worker_rlimit_nofile 65536;
events { worker_connections 16384; }
http {
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(kind => `${kind}_temp_path ${own}/${kind};`).join(' ')}
  default_type application/octet-stream; sendfile on; tcp_nopush on; access_log off; reset_timedout_connection off;
  keepalive_timeout 75s; keepalive_requests 1000000; client_max_body_size 1g; add_header X-Server ${name} always;
  log_format flow '$remote_addr $remote_port $request_uri $status';
  server {
    listen ${webPort} backlog=4096; listen [::]:${webPort} backlog=4096 ipv6only=on;
    root ${content};
    location /slow/ { alias ${content}/; limit_rate 40m; }
    location /paused/ { alias ${content}/; limit_rate 4m; }
    location /logged/ { alias ${content}/; access_log ${own}/access.log flow; }
    location /upload { proxy_pass http://unix:${socket}; proxy_http_version 1.1; proxy_request_buffering off; }
  }
}
`,
  )
  const program = stack.use(await machine.start([findProgram('nginx') ?? 'nginx', '-c', config, '-e', join(own, 'error.log')]))
  await listening(machine, webPort, program)
  return stack.move()
}

/** Holdfast's own server: each folder of the content is a share that everybody may read. */
export async function startHoldfast({ machine, folder, name, content }: WebServerOptions): Promise<AsyncDisposable> {
  const shares = readdirSync(content).flatMap(share => ['--share', `${share}=${join(content, share)},public,read-only`])
  const state = ['--state', folder.at(`state-${name}`), '--log-level', 'warn']
  return machine.start([process.execPath, productMain, 'serve', ...shares, ...state, '--content', `:${webPort}`], { ready: /^ready / })
}

/** Waits until somebody listens on a TCP port of the machine. */
export async function listening(machine: Machine, port: number, program: Program): Promise<void> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')} `
  const begin = performance.now()
  for (;;) {
    const sockets = await machine.must(['cat', '/proc/self/net/tcp', '/proc/self/net/tcp6'])
    // 0A is TCP_LISTEN.
    if (sockets.split('\n').some(line => line.includes(suffix) && / 0A /.test(line) && line.split(/\s+/)[2]?.endsWith(suffix.trim()))) return
    if (performance.now() - begin > 10_000) throw new Error(`nobody listens on port ${port} of ${machine.namespace}:\n${program.log}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
