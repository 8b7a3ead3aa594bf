/** The management application: health, readiness and metrics over HTTP. */

import { type HttpRequest, type HttpResponse, problem, readRequest, writeResponse } from './http.ts'
import type { MetricSample } from '@holdfast/engine'
import { formatMetrics, prometheusContentType } from './prometheus.ts'

type MaybePromise<T> = T | Promise<T>

/** What the application asks its node for. */
export interface ManagementOptions {
  /** All metrics of the node, as of now. */
  metrics(): MaybePromise<readonly MetricSample[]>
  /** True while the node takes work: started, not shutting down. */
  ready(): MaybePromise<boolean>
  readonly clock?: () => Date
}

/** Requests in, responses out; no sockets. */
export interface ManagementApp {
  /**
   * The whole response to a request's head; undefined while more bytes are needed. At once where nothing has to be waited for.
   * Never throws nor rejects: what fails inside is a 500.
   */
  handle(request: Buffer): MaybePromise<Buffer> | undefined
}

type Route = (options: ManagementOptions) => MaybePromise<HttpResponse>

const json = (status: number, value: unknown): HttpResponse => ({ status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` })
const metricsResponse = (samples: readonly MetricSample[]): HttpResponse => ({
  status: 200,
  contentType: prometheusContentType,
  body: formatMetrics(samples),
})
const readyResponse = (ready: boolean): HttpResponse => (ready ? json(200, { status: 'ready' }) : problem(503, 'The node does not take work now.'))

/** Each answers GET and HEAD. */
const routes: Readonly<Record<string, Route>> = {
  '/healthz': () => json(200, { status: 'ok' }),
  '/readyz': options => then(options.ready(), readyResponse),
  '/metrics': options => then(options.metrics(), metricsResponse),
}

function then<T, U>(value: MaybePromise<T>, next: (value: T) => U): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

function route(request: HttpRequest, options: ManagementOptions): MaybePromise<HttpResponse> {
  const found = Object.hasOwn(routes, request.path) ? routes[request.path] : undefined
  if (found === undefined) return problem(404, `There is nothing at ${request.path}.`)
  if (request.method !== 'GET' && request.method !== 'HEAD') return problem(405, `${request.path} answers GET and HEAD.`, { Allow: 'GET, HEAD' })
  return found(options)
}

/**
 * Builds the application that a worker runs for each request of the `--http` listener.
 *
 * @example
 * const app = createManagementApp({ metrics: () => [], ready: () => true })
 * const response = await app.handle(Buffer.from('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'))
 * response?.toString().split('\r\n')[0] // => 'HTTP/1.1 200 OK'
 */
export function createManagementApp(options: ManagementOptions): ManagementApp {
  const date = () => options.clock?.() ?? new Date()
  const failed = () => writeResponse(problem(500, 'The node could not answer this.'), { date: date() })
  return {
    handle(bytes) {
      const request = readRequest(bytes)
      if (request === undefined) return undefined
      if ('status' in request) return writeResponse(problem(request.status, request.detail), { date: date() })
      const write = (response: HttpResponse) => writeResponse(response, { head: request.method === 'HEAD', date: date() })
      try {
        const response = route(request, options)
        return response instanceof Promise ? response.then(write).catch(failed) : write(response)
      } catch {
        return failed()
      }
    },
  }
}
