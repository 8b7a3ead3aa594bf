/** What is counted of requests. */

import type { Counter, Counters, Histogram } from '@holdfast/engine'
import { durationBounds } from '@holdfast/engine/metrics'

const known: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The counters of a worker, looked up once for each method and status. */
export class ContentCounters {
  readonly #counters: Counters
  readonly #requests = new Map<string, Counter[]>()
  readonly #durations = new Map<string, Histogram>()
  readonly #bytes: Counter
  readonly connections: Counter
  readonly openFiles: Counter

  constructor(counters: Counters) {
    this.#counters = counters
    this.#bytes = counters.counter('holdfast_content_sent_bytes_total', 'Bytes of content sent over HTTP, without heads')
    this.connections = counters.gauge('holdfast_content_connections', 'HTTP connections that have asked for content')
    this.openFiles = counters.gauge('holdfast_content_open_files', 'Files kept open for the next request')
  }

  /** A request was answered, `seconds` after it had come to its worker. */
  answered(methodName: string, { status, bodyBytes }: { readonly status: number; readonly bodyBytes: number }, seconds: number): void {
    const method = known.has(methodName) ? methodName : 'other'
    this.#request(method, status).add()
    if (bodyBytes > 0) this.#bytes.add(bodyBytes)
    this.#duration(method).observe(seconds)
  }

  #request(method: string, status: number): Counter {
    let byStatus = this.#requests.get(method)
    if (byStatus === undefined) this.#requests.set(method, (byStatus = []))
    return (byStatus[status] ??= this.#counters.counter('holdfast_content_requests_total', 'HTTP requests for content answered', {
      method,
      status: String(status),
    }))
  }

  #duration(method: string): Histogram {
    let histogram = this.#durations.get(method)
    if (histogram === undefined) {
      const help = 'Time from the arrival of an HTTP request for content at its worker until all of its response was handed over'
      histogram = this.#counters.histogram('holdfast_content_request_duration_seconds', help, durationBounds, { method })
      this.#durations.set(method, histogram)
    }
    return histogram
  }
}
