/** Makes the volumes that the configuration names what it says, before anybody uses them. */

import type { VolumeManager } from '@holdfast/storage/block'
import { isDeepStrictEqual } from 'node:util'
import type { Store } from '@holdfast/cluster'
import { ConfigError } from '../config/errors.ts'
import { exactSize } from '../config/units.ts'
import { splitOptions, type VolumeAccess, type VolumeSettings } from '../config/volumes.ts'
import type { Logger } from '../log.ts'
import { AccessStore } from './access-store.ts'
import { VolumeOwner } from './owner.ts'

/** Nobody serves them yet. */
const nobody = { withdraw: () => Promise.resolve(), announce: () => Promise.resolve() }

export interface PrepareOptions {
  readonly manager: VolumeManager
  readonly store: Pick<Store, 'txn' | 'range'>
  readonly settings: readonly VolumeSettings[]
  readonly log: Pick<Logger, 'info'>
}

/**
 * Makes what is missing, grows what has become larger, and notes who may use it. Throws ConfigError for a volume that is larger than the
 * configuration says, or has other blocks; rejects with `VolumeError`.
 */
export async function prepareVolumes({ manager, store, settings, log }: PrepareOptions): Promise<void> {
  const owner = new VolumeOwner({ manager, store, audience: nobody, owns: () => true })
  const stored = new AccessStore(store)
  const known = new Map((await manager.list()).map(record => [record.name, record]))
  for (const { name, sizeBytes, ...options } of settings) {
    const { made, access } = splitOptions(options)
    const record = known.get(name)
    if (record === undefined) {
      await owner.create({ name, sizeBytes, ...made, access })
      log.info({ volume: name, sizeBytes }, 'volume made')
      continue
    }
    const has = { sizeBytes: record.sizeBytes, blockBytes: record.options.blockBytes ?? 512 }
    if (has.sizeBytes > sizeBytes) throw tooSmall(name, has.sizeBytes)
    if (made.blockBytes !== undefined && has.blockBytes !== made.blockBytes) throw otherBlocks(name, has.blockBytes)
    if (made.checksums && record.options.checksums !== true) throw noChecksums(name)
    if (has.sizeBytes < sizeBytes) {
      await manager.resize(name, sizeBytes)
      log.info({ volume: name, sizeBytes, beforeBytes: has.sizeBytes }, 'volume grown')
    }
    if (!isDeepStrictEqual(await stored.get(name), access satisfies VolumeAccess)) await stored.put(name, access)
  }
}

function tooSmall(name: string, hasBytes: number): ConfigError {
  const has = exactSize(hasBytes)
  return new ConfigError(
    `volume "${name}" has ${has} already, and a volume cannot shrink; say ${name}=${has}, or delete it first with "holdfast volume delete ${name}"`,
  )
}

const otherBlocks = (name: string, blockBytes: number): ConfigError =>
  new ConfigError(`volume "${name}" was made with block-size=${blockBytes}, which cannot change; leave block-size out, or make another volume`)

const noChecksums = (name: string): ConfigError =>
  new ConfigError(`volume "${name}" was made without checksums, which cannot change; leave checksums out, or make another volume`)
