/** Proxies of others in the director's place: they choose the server by the path as the director does. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TemporaryFolder } from '../peers/folder.ts'
import { findProgram } from '../peers/packages.ts'
import { endpoint } from './agents.ts'
import type { Machine } from './machine.ts'
import type { Program } from './program.ts'
import type { Addresses } from './topologies.ts'
import { listening } from './web-servers.ts'

/** Where a proxy runs, and between whom. */
export interface ProxyOptions {
  readonly machine: Machine
  readonly folder: TemporaryFolder
  readonly addresses: Addresses
  readonly port: number
}

/**
 * HAProxy. `http` reads requests, and keeps connections on both sides; `tcp` knows no requests and so sends all to one server, and moves bytes from socket to socket in the kernel
 * (splice(2)).
 */
export async function startHaproxy(mode: 'http' | 'tcp', { machine, folder, addresses, port }: ProxyOptions): Promise<Program> {
  const config = folder.at(`haproxy-${port}.cfg`)
  const [a, b] = [endpoint(addresses.a, 80), endpoint(addresses.b, 80)]
  const how = {
    http: ['mode http', 'option http-keep-alive', 'http-reuse always'],
    tcp: ['mode tcp', 'option splice-request', 'option splice-response'],
  }[mode]
  const choice = mode === 'http' ? ['use_backend b if { path_beg /b/ }'] : []
  const section = (name: string, lines: readonly string[]): string => [name, ...lines.map(line => `  ${line}`)].join('\n')
  writeFileSync(
    config,
    [
      section('global', ['maxconn 6000', 'tune.pipesize 1048576']),
      section('defaults', [...how, 'timeout connect 5s', 'timeout client 60s', 'timeout server 60s', 'maxconn 6000', 'backlog 4096']),
      section('frontend front', [`bind ${endpoint(addresses.director, port)}`, ...choice, 'default_backend a']),
      section('backend a', [`server a ${a}`]),
      section('backend b', [`server b ${b}`]),
      '',
    ].join('\n'),
  )
  const program = await machine.start([findProgram('haproxy') ?? 'haproxy', '-db', '-f', config])
  await listening(machine, port, program)
  return program
}

/** A reverse proxy as one writes it with node:http: a pool of connections to each server, streams piped. */
export async function startNodeProxy({ machine, folder, addresses, port }: ProxyOptions): Promise<Program> {
  const own = folder.at(`node-proxy-${port}`)
  mkdirSync(own)
  const script = join(own, 'proxy.mjs')
  writeFileSync(
    script,
    `import { Agent, createServer, request } from 'node:http'
const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
const server = createServer((from, answer) => {
  const host = from.url.startsWith('/b/') ? ${JSON.stringify(addresses.b)} : ${JSON.stringify(addresses.a)}
  const to = request({ host, port: 80, method: from.method, path: from.url, headers: from.headers, agent }, response => {
    answer.writeHead(response.statusCode, response.headers)
    response.pipe(answer)
  })
  to.on('error', () => answer.destroy())
  answer.on('close', () => to.destroy())
  from.pipe(to)
})
server.keepAliveTimeout = 60_000
server.listen({ host: ${JSON.stringify(addresses.director)}, port: ${port}, backlog: 4096 }, () => console.log('up'))
`,
  )
  return machine.start([process.execPath, script], { ready: /^up/ })
}
