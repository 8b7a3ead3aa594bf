/** Limits that the configuration can set. What is left out has the default of the room that enforces it. */

import type { EngineLimits } from '@holdfast/engine'
import { parseSize } from './units.ts'

interface Limit {
  readonly room: 'engine' | 'smb'
  readonly unit: 'count' | 'bytes' | 'MiB' | 'ms'
  readonly help: string
  readonly minimum: number
  readonly maximum: number
}

const limit = (room: Limit['room'], unit: Limit['unit'], minimum: number, maximum: number, help: string): Limit => ({
  room,
  unit,
  minimum,
  maximum,
  help,
})
const KiB = 2 ** 10
const MiB = 2 ** 20
const GiB = 2 ** 30

export const limits = {
  connections: limit('engine', 'count', 1, 16_384, 'client connections'),
  connectionsPerAddress: limit('engine', 'count', 1, 16_384, 'client connections from one address'),
  strangerMs: limit('engine', 'ms', 1000, 86_400_000, 'milliseconds that a client may take to log in'),
  unacknowledgedMs: limit('engine', 'ms', 1000, 86_400_000, 'milliseconds without acknowledgement after which a client is taken for gone'),
  inboundBytesPerConnection: limit('engine', 'bytes', MiB, 4 * GiB, 'requests of one connection that wait or run'),
  unsentBytesPerConnection: limit('engine', 'bytes', 64 * KiB, 4 * GiB, 'responses that one client may leave unread before its requests wait'),
  inboundBytes: limit('engine', 'bytes', 16 * MiB, 16 * GiB, 'shared memory for requests, of the node'),
  outboundBytes: limit('engine', 'bytes', 16 * MiB, 16 * GiB, 'shared memory for responses, of each worker'),
  messageBytes: limit('engine', 'bytes', 128 * KiB, 64 * MiB, 'the largest request'),
  workerHeapMiB: limit('engine', 'MiB', 64, 65_536, 'JavaScript heap of a worker, in MiB'),
  sessionsPerConnection: limit('smb', 'count', 1, 65_536, 'SMB sessions on one connection'),
  treesPerSession: limit('smb', 'count', 1, 65_536, 'shares that one session has connected'),
  opensPerSession: limit('smb', 'count', 1, 1_048_576, 'files that one session has open'),
  asyncRequestsPerConnection: limit('smb', 'count', 1, 65_536, 'requests of one connection that wait for a lock, a break or a change'),
  runningRequestsPerConnection: limit('smb', 'count', 1, 65_536, 'requests of one connection that are being carried out'),
  requestsPerCompound: limit('smb', 'count', 1, 1024, 'requests in one compound'),
  credits: limit('smb', 'count', 16, 65_536, 'SMB credits that one connection holds'),
} as const satisfies Record<string, Limit>

export type LimitName = keyof typeof limits
export type SmbLimitName = { [K in LimitName]: (typeof limits)[K]['room'] extends 'smb' ? K : never }[LimitName]

/** What was set, sorted by who enforces it. */
export interface ConfiguredLimits {
  readonly engine: Partial<EngineLimits>
  readonly smb: Partial<Record<string, number>>
}

export const limitNames = Object.keys(limits) as LimitName[]
export const isLimitName = (name: string): name is LimitName => Object.hasOwn(limits, name)

export function limitAllowed(name: LimitName): string {
  const { minimum, maximum, unit } = limits[name]
  return unit === 'bytes' ? `a size from ${minimum} to ${maximum} bytes, such as 64MiB` : `a whole number from ${minimum} to ${maximum}`
}

/** Undefined for what the limit does not allow. */
export function parseLimit(name: LimitName, text: string | number): number | undefined {
  const { minimum, maximum, unit } = limits[name]
  const value = unit === 'bytes' ? parseSize(text) : /^\d{1,12}$/.test(String(text)) ? Number(text) : undefined
  return value === undefined || value < minimum || value > maximum ? undefined : value
}

export function sortLimits(values: ReadonlyMap<LimitName, number>): ConfiguredLimits {
  const engine: Record<string, number> = {}
  const smb: Record<string, number> = {}
  for (const [name, value] of values) (limits[name].room === 'engine' ? engine : smb)[name] = value
  return { engine, smb }
}
