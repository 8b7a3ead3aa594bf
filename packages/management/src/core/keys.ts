/** Where what is in the store. No key names the worker that wrote it, but for its fence: with another number of workers all is found again. */

import { newestFirst } from './ids.ts'

const digits = 16
const numbered = (n: number): string => n.toString(16).padStart(digits, '0')

/** Keys of the store. */
export const keys = {
  /** Moves on with each transaction of a worker: nobody else writes for it, and nothing of it happens twice. */
  fence: (worker: number) => `api/fence/${worker}`,

  /** Records of sessions. */
  sessions: 'api/session/',
  session: (session: string) => `api/session/${session}`,

  /** The events of a session, and which there are. */
  heads: 'api/head/',
  head: (session: string) => `api/head/${session}`,
  log: (session: string) => `api/log/${session}/`,
  event: (session: string, sequence: number) => `api/log/${session}/${numbered(sequence)}`,

  /** Records of operations, the newest first. */
  operations: 'api/operation/',
  operation: (id: string) => `api/operation/${newestFirst(id)}`,
  /** The operations of a session, while it lasts. */
  operationsOf: (session: string) => `api/of/${session}/`,
  operationOf: (session: string, id: string) => `api/of/${session}/${id}`,
  /** What is needed to run an operation, sealed, until it has ended: the list of those that have not. */
  pending: 'api/pending/',
  pendingOne: (session: string, id: string) => `api/pending/${session}/${id}`,
  /** Which operation has a target to itself. */
  target: (line: string) => `api/target${line}`,
  /** Idempotency keys. */
  idempotencyKeys: 'api/key/',
  idempotencyKey: (digest: string) => `api/key/${digest}`,

  /** The audit log, the newest first. */
  audit: 'api/audit/',
  auditEntry: (id: string) => `api/audit/${newestFirst(id)}`,
} as const

/** The last part of a key. */
export const lastOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1)

/** The number of an event, by its key. */
export const sequenceOf = (key: string): number => Number.parseInt(lastOf(key), 16)

/** What a value of the store says. Only what this package wrote is read by it. */
export const fromJson = <T>(value: Uint8Array): T => JSON.parse(Buffer.from(value).toString()) as T
/** A value for the store. */
export const toJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
