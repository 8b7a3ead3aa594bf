/** Limits that the configuration can set. What is left out has the default of the room that enforces it. */

import type { EngineLimits } from '@holdfast/engine'
import type { CoreLimits } from '@holdfast/management'
import { parseSize } from './units.ts'

interface Limit {
  readonly room: 'engine' | 'smb' | 'management'
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
const dayMs = 86_400_000

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
  apiSessionMs: limit('management', 'ms', 1000, 31 * dayMs, 'milliseconds from the login until a session of the management API ends'),
  apiIdleMs: limit('management', 'ms', 1000, 31 * dayMs, 'milliseconds without a request or a stream after which it ends'),
  apiSessions: limit('management', 'count', 1, 1_000_000, 'sessions of the management API'),
  apiSessionsPerUser: limit('management', 'count', 1, 1_000_000, 'sessions of the management API of one user'),
  apiUnfinished: limit('management', 'count', 1, 100_000, 'operations of one session that have not ended'),
  apiRunning: limit('management', 'count', 1, 1000, 'operations that run at once, on each worker'),
  apiRequestsPerSession: limit('management', 'count', 1, 1_000_000, 'requests a second of one session'),
  apiRequestsPerAddress: limit('management', 'count', 1, 1_000_000, 'requests a second from one address, on each worker'),
} as const satisfies Record<string, Limit>

export type LimitName = keyof typeof limits
export type SmbLimitName = { [K in LimitName]: (typeof limits)[K]['room'] extends 'smb' ? K : never }[LimitName]

/** What was set, sorted by who enforces it. */
export interface ConfiguredLimits {
  readonly engine: Partial<EngineLimits>
  readonly smb: Partial<Record<string, number>>
  readonly management?: ManagementLimits
}

/** Of the management API: what its core holds for others, and how often it is asked. */
export type ManagementLimits = Partial<CoreLimits & { readonly requestsPerSession: number; readonly requestsPerAddress: number }>

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
  const sorted = { engine: {} as Record<string, number>, smb: {} as Record<string, number>, management: {} as Record<string, number> }
  for (const [name, value] of values) sorted[limits[name].room][name.replace(/^api([A-Z])/, (_, first: string) => first.toLowerCase())] = value
  const { management, ...others } = sorted
  return { ...others, ...(Object.keys(management).length > 0 && { management }) }
}
