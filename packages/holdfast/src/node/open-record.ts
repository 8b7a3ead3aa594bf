/** How the store keeps the record of a persistent open: its values without their names, which would be half of it. */
import { deserialize, serialize } from 'node:v8'
import type { OpenRecord } from '@holdfast/smb/server'

/** A place for each property. What is written stays readable as long as places are only added. */
type Places<T> = Readonly<Record<keyof T, number>>

type Caching = NonNullable<OpenRecord['caching']>
type Durable = NonNullable<OpenRecord['durable']>

const placesOfCaching: Places<Caching> = { kind: 0, state: 1, key: 2, version: 3, epoch: 4, parentKey: 5, breakingTo: 6 }
const placesOfDurable: Places<Durable> = { version: 0, persistent: 1, resilient: 2, timeoutMs: 3, owner: 4, face: 5, seat: 6 }
const placesOfRecord: Places<OpenRecord> = {
  openId: 0,
  worker: 1,
  volumeId: 2,
  fileId: 3,
  path: 4,
  otherPath: 5,
  hasLinks: 6,
  stream: 7,
  isFolder: 8,
  access: 9,
  shareAccess: 10,
  deleteOnClose: 11,
  deletePending: 12,
  clientGuid: 13,
  createGuid: 14,
  caching: 15,
  locks: 16,
  lockSequences: 17,
  durable: 18,
  appInstance: 19,
  parked: 20,
  parkedAt: 21,
}

const namesOf = <T>(places: Places<T>): readonly (keyof T)[] => Object.keys(places) as (keyof T)[]

function toValues<T extends object>(places: Places<T>, whole: T): unknown[] {
  const values: unknown[] = []
  for (const name of namesOf(places)) values[places[name]] = whole[name]
  return values
}

/** A place without a value is a property that was not there. */
function fromValues<T extends object>(places: Places<T>, values: readonly unknown[]): T {
  const present = namesOf(places).filter(name => values[places[name]] !== undefined)
  return Object.fromEntries(present.map(name => [name, values[places[name]]])) as T
}

/** Bytes for the store. */
export function encodeOpenRecord(record: OpenRecord): Buffer {
  const values = toValues(placesOfRecord, record)
  values[placesOfRecord.caching] = record.caching && toValues(placesOfCaching, record.caching)
  values[placesOfRecord.durable] = record.durable && toValues(placesOfDurable, record.durable)
  return serialize(values)
}

/** The record that was kept. */
export function decodeOpenRecord(bytes: Uint8Array): OpenRecord {
  const values = deserialize(bytes) as unknown[] // of `encodeOpenRecord`
  const { caching, durable } = placesOfRecord
  values[caching] &&= fromValues(placesOfCaching, values[caching] as unknown[])
  values[durable] &&= fromValues(placesOfDurable, values[durable] as unknown[])
  return fromValues(placesOfRecord, values)
}
