/** Opens the volumes of a state. */

import { randomUUID } from 'node:crypto'
import type { Store } from '@holdfast/cluster'
import { memoryDevice, type VolumeDevice, VolumeError, type VolumeManager, type VolumeRecord } from '@holdfast/storage/block'

const prefix = 'interim-volumes/'

/** Every worker, and every command, opens its own; what is done to a volume is done by one of them at a time. */
export async function openVolumeManager(_folder: string, store: Store): Promise<VolumeManager> {
  // Stands in until `openVolumes` of @holdfast/storage/block is there: records in the store, bytes in memory.
  const devices = new Map<string, VolumeDevice>()
  const get = async (name: string): Promise<VolumeRecord> => {
    const { entries } = await store.range({ key: prefix + name })
    if (entries.length === 0) throw new VolumeError('UNKNOWN_VOLUME', `there is no volume "${name}"`)
    return JSON.parse(Buffer.from(entries[0].value).toString()) as VolumeRecord
  }
  const put = async (record: VolumeRecord): Promise<VolumeRecord> => {
    await store.txn({ success: [{ type: 'put', key: prefix + record.name, value: Buffer.from(JSON.stringify(record)) }] })
    return record
  }
  return {
    get,
    async create({ name, sizeBytes = 0, options = {} }) {
      const id = randomUUID()
      const serial = id.replaceAll('-', '')
      return put({ id, name, sizeBytes, createdAt: new Date().toISOString(), serial, naa: `3${serial.slice(0, 15)}`, options, snapshots: [] })
    },
    list: async () => (await store.range({ prefix })).entries.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as VolumeRecord),
    resize: async (name, sizeBytes) => put({ ...(await get(name)), sizeBytes }),
    snapshot: () => Promise.reject(new VolumeError('SNAPSHOTS_UNSUPPORTED')),
    deleteSnapshot: () => Promise.reject(new VolumeError('UNKNOWN_SNAPSHOT')),
    async delete(name) {
      await store.txn({ success: [{ type: 'delete', key: prefix + name }] })
    },
    async open(name) {
      const record = await get(name)
      const device = devices.get(name) ?? Object.assign(memoryDevice({ sizeBytes: record.sizeBytes }), { record })
      devices.set(name, device)
      return device
    },
    openSnapshot: () => Promise.reject(new VolumeError('UNKNOWN_SNAPSHOT')),
    async release() {},
    async close() {},
    async [Symbol.asyncDispose]() {},
  }
}
