/** Load by wrk. */
import type { Machine } from './machine.ts'

/** What it is told. */
export interface WrkOptions {
  readonly url: string
  readonly connections: number
  readonly seconds: number
  readonly threads?: number
  readonly headers?: readonly string[]
  /** A script in Lua. */
  readonly script?: string
}

/** What it counted. */
export interface WrkResult {
  readonly requests: number
  readonly bytes: number
  readonly requestsPerSecond: number
  readonly bytesPerSecond: number
  /** Sockets' errors (connect, read, write, timeout) and responses other than 2xx and 3xx. */
  readonly failed: number
  readonly printed: string
}

const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }

/** `1.50G` -> 1610612736. */
function sizeOf(text: string): number {
  const [, number, unit = ''] = /^([\d.]+)([KMGT]?)B?$/.exec(text) ?? []
  return Number(number) * (units[unit] ?? Number.NaN)
}

/** Reads what wrk prints. */
export function parseWrk(printed: string): WrkResult {
  const [, requests = 'NaN', , bytes = ''] = /(\d+) requests in ([\d.]+\w+), ([\d.]+[KMGT]?B) read/.exec(printed) ?? []
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(printed)?.slice(1).map(Number) ?? []
  const others = Number(/Non-2xx or 3xx responses: (\d+)/.exec(printed)?.[1] ?? 0)
  return {
    requests: Number(requests),
    bytes: sizeOf(bytes),
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(printed)?.[1]),
    bytesPerSecond: sizeOf(/Transfer\/sec:\s+(\S+)/.exec(printed)?.[1] ?? ''),
    failed: errors.reduce((sum, count) => sum + count, others),
    printed,
  }
}

/** Runs it to its end. */
export async function wrk(machine: Machine, { url, connections, seconds, threads = 1, headers = [], script }: WrkOptions): Promise<WrkResult> {
  const words = ['wrk', `-t${threads}`, `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', ...headers.flatMap(header => ['-H', header])]
  const withScript = script === undefined ? [...words, url] : [...words, '-s', script, url]
  return parseWrk(await machine.must(withScript, { timeoutMs: (seconds + 60) * 1000 }))
}
