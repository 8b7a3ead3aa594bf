/** nginx, as the server of files that others are measured by. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { temporaryFolder } from './folder.ts'
import { findProgram } from './packages.ts'
import { freePort } from './port.ts'
import type { Endpoint } from './server.ts'

/** What to start it with. */
export interface NginxOptions {
  /** The folder it serves. */
  readonly root: string
  /** Processes that serve. Default: 1. */
  readonly workers?: number
  /** CPU list for `taskset -c`. */
  readonly cpus?: string
}

/** It runs; stopped with `await using`. */
export interface Nginx extends Endpoint, AsyncDisposable {
  /** Of the master, and of all that serve. */
  readonly pids: readonly number[]
}

const configuration = ({ root, workers = 1 }: NginxOptions, folder: string, port: number): string => `
worker_processes ${workers};
daemon off;
pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server { listen 127.0.0.1:${port}; root ${root}; }
}
`

/** Starts it, with sendfile and without a log; resolves when it takes connections. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const folder = temporaryFolder('nginx')
  const port = await freePort()
  writeFileSync(folder.at('nginx.conf'), configuration(options, folder.path, port))
  const words = [findProgram('nginx') ?? 'nginx', '-c', folder.at('nginx.conf'), '-e', folder.at('error.log')]
  const [program = '', ...args] = options.cpus === undefined ? words : ['taskset', '-c', options.cpus, ...words]
  const child = spawn(program, args, { stdio: 'ignore' })
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    await folder[Symbol.asyncDispose]()
  }
  for (let attempt = 0; !(await answers(port)); attempt++) {
    if (attempt === 100) {
      await stop()
      throw new Error('nginx does not start')
    }
    await wait(50)
  }
  const pid = child.pid ?? 0
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
  return { host: '127.0.0.1', port, pids: [pid, ...children], [Symbol.asyncDispose]: stop }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    // Not yet.
    return false
  } finally {
    socket.destroy()
  }
}
