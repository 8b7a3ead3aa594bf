/** /metrics and /healthz of a director or server agent: one small listener for Prometheus, apart from the data path. */

import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { MetricSample } from '@holdfast/engine'
import { formatMetrics, prometheusContentType } from '@holdfast/management'
import { type Address, formatAddress } from '../config/addresses.ts'
import { CommandError } from '../commands/context.ts'

/** Listens until it is disposed of. Throws `CommandError` when it cannot. */
export async function serveMetrics({ host, port }: Address, samples: () => Promise<readonly MetricSample[]>): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    answer(request.url ?? '', response, samples).catch(() => response.writeHead(500).end())
  })
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new CommandError(`cannot listen for /metrics on ${formatAddress({ host, port })}: ${(error as NodeJS.ErrnoException).code}`, 'LISTEN', {
      cause: error,
    })
  }
  return {
    [Symbol.asyncDispose]: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(path: string, response: ServerResponse, samples: () => Promise<readonly MetricSample[]>): Promise<void> {
  if (path === '/healthz') response.writeHead(200, { 'Content-Type': 'text/plain' }).end('ok\n')
  else if (path === '/metrics') response.writeHead(200, { 'Content-Type': prometheusContentType }).end(formatMetrics(await samples()))
  else response.writeHead(404).end()
}
