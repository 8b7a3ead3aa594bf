/** Logs go to stderr: as JSON lines by pino, or written for people. */

import { pino } from 'pino'
import type { Logger } from 'pino'

export type { Logger } from 'pino'

export interface LogOptions {
  readonly level: string
  readonly format: 'json' | 'pretty'
  readonly colour?: boolean
  /** Takes lines; stderr where undefined. */
  readonly write?: (line: string) => void
}

const levelNames: Readonly<Record<number, string>> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }
const levelColours: Readonly<Record<string, number>> = { trace: 90, debug: 90, info: 32, warn: 33, error: 31, fatal: 31 }

/** A logger on stderr; written at once, so that the last words of a process that dies are there. */
export function createLogger({ level, format, colour = false, write = line => void process.stderr.write(line) }: LogOptions): Logger {
  const stream = format === 'json' ? { write } : { write: (line: string) => write(prettyLine(line, colour)) }
  return pino({ level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, stream)
}

/** `03:12:05.123 info  accepted  connection=3 address=127.0.0.1` */
export function prettyLine(json: string, colour: boolean): string {
  const { level, time, msg, pid: _pid, err, ...fields } = JSON.parse(json) as Record<string, unknown> & { level: number; time: string; msg?: string }
  const name = levelNames[level] ?? String(level)
  const label = colour ? `\u001b[${levelColours[name] ?? 0}m${name.padEnd(5)}\u001b[0m` : name.padEnd(5)
  const details = Object.entries(fields).map(([key, value]) => ` ${key}=${fieldText(value)}`)
  const error = err as { message?: string; stack?: string } | undefined
  const stack = error === undefined ? '' : `\n  ${(error.stack ?? error.message ?? '').replaceAll('\n', '\n  ')}`
  return `${time.slice(11, 23)} ${label} ${msg ?? ''}${details.length === 0 ? '' : ' '}${details.join('')}${stack}\n`
}

function fieldText(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return /[\s"=]/.test(text) && typeof value === 'string' ? JSON.stringify(text) : text
}
