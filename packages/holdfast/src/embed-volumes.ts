/** The volumes of `serve`: sizes, and devices of the calling thread. */

import type { BlockDevice } from '@holdfast/storage/block'
import { badValue, ConfigError, type Origin, quoted } from './config/errors.ts'
import { initiatorAllowed, initiatorPattern, userNameAllowed, userNamePattern, volumeNameAllowed, volumeNamePattern } from './config/names.ts'
import {
  parseVolumeSize,
  type VolumeAccess,
  type VolumeBlockBytes,
  volumeBlockSizes,
  type VolumeSettings,
  volumeSizeAllowed,
} from './config/volumes.ts'
import type { NodeDevice } from './node/node-config.ts'
import { type ChapReadiness, chapSecretCharactersMin, type UserEntry } from './state/users.ts'

/** What every kind of volume can be told. */
export interface VolumeSettingsForServe {
  /** Initiators cannot write. */
  readonly readOnly?: boolean
  /** Initiators need not say who they are (CHAP). Only on a network where everybody may have the disk. */
  readonly noAuth?: boolean
  /** Names of those who may log in; every user where it is left out. */
  readonly users?: readonly string[]
  /** iSCSI names of the initiators that may log in, and are shown the volume; all where it is left out. A name proves nothing: CHAP does. */
  readonly initiators?: readonly string[]
  /** Logical blocks as initiators see them; default 512. For good, where the volume lies in files. */
  readonly blockBytes?: VolumeBlockBytes
}

/** A thin volume in sparse files below the state folder: made where it is missing, grown where it has become larger. */
export interface VolumeInFiles {
  /** `10GiB`, or bytes. */
  readonly size: string | number
  /** What is read is compared with checksums of what was written. For good. */
  readonly checksums?: boolean
}

/** A block device of the calling thread. It stays the caller's: it is not closed with the server. */
export interface VolumeFromDevice {
  readonly device: BlockDevice
}

/** A size, or a size or a BlockDevice with settings. */
export type VolumeToServe = string | number | ((VolumeInFiles | VolumeFromDevice) & VolumeSettingsForServe)

/** Volumes as a node is given them. */
export interface ParsedVolumes {
  readonly volumes: readonly VolumeSettings[]
  readonly devices: readonly NodeDevice[]
  readonly objects: ReadonlyMap<string, BlockDevice>
}

const whatAVolumeIs = 'a size such as 10GiB, or an object with size or device'
const settingNames = ['readOnly', 'noAuth', 'users', 'initiators', 'blockBytes'] as const satisfies (keyof VolumeSettingsForServe)[]
const originOf = (name: string, setting?: string): Origin => ({ key: `volumes.${name}${setting === undefined ? '' : `.${setting}`}`, isOption: true })

/** Throws ConfigError, which names the volume, what is given and what is allowed. */
export function parseVolumes(given: Readonly<Record<string, VolumeToServe>>): ParsedVolumes {
  const volumes: VolumeSettings[] = []
  const devices: NodeDevice[] = []
  const objects = new Map<string, BlockDevice>()
  for (const [name, volume] of Object.entries(given)) {
    if (!volumeNamePattern.test(name)) throw badValue({ key: 'volumes', isOption: true }, name, volumeNameAllowed)
    const { size, checksums = false, device, ...settings } = partsOf(name, volume)
    const { blockBytes, ...access } = parseSettings(name, settings)
    if (device === undefined) {
      volumes.push({
        name,
        sizeBytes: parseSizeOf(name, size),
        ...access,
        ...(blockBytes !== undefined && { blockBytes }),
        ...(checksums && { checksums }),
      })
      continue
    }
    checkDevice(name, device, blockBytes ?? 512)
    devices.push({ name, ...access, blockBytes: blockBytes ?? 512 })
    objects.set(name, device)
  }
  return { volumes, devices, objects }
}

interface Parts extends VolumeSettingsForServe {
  readonly size?: string | number
  readonly checksums?: boolean
  readonly device?: BlockDevice
}

function partsOf(name: string, volume: VolumeToServe): Parts {
  const parts: Parts | null = typeof volume === 'object' ? volume : { size: volume }
  if (parts === null || (parts.size === undefined) === (parts.device === undefined)) throw badValue(originOf(name), shown(volume), whatAVolumeIs)
  // A misspelled restriction would be none.
  const names: readonly string[] = ['size', 'device', ...settingNames, ...(parts.device === undefined ? ['checksums'] : [])]
  const unknown = Object.keys(parts).find(key => !names.includes(key))
  if (unknown !== undefined) throw badValue(originOf(name), unknown, names.join(', '))
  return parts
}

/** Of an object its keys: a device says nothing in a message. */
const shown = (volume: unknown): unknown => (typeof volume === 'object' && volume !== null ? `{ ${Object.keys(volume).join(', ')} }` : volume)

function parseSizeOf(name: string, size: string | number | undefined): number {
  const sizeBytes = size === undefined ? undefined : parseVolumeSize(size)
  if (sizeBytes === undefined) throw badValue(originOf(name), size, volumeSizeAllowed)
  return sizeBytes
}

function parseSettings(name: string, given: VolumeSettingsForServe): VolumeAccess & { readonly blockBytes?: VolumeBlockBytes } {
  const { readOnly = false, noAuth = false, users, initiators, blockBytes } = given
  if (blockBytes !== undefined && !volumeBlockSizes.includes(blockBytes))
    throw badValue(originOf(name, 'blockBytes'), blockBytes, volumeBlockSizes.join(' or '))
  for (const user of users ?? []) if (!userNamePattern.test(user)) throw badValue(originOf(name, 'users'), user, userNameAllowed)
  for (const initiator of initiators ?? [])
    if (!initiatorPattern.test(initiator)) throw badValue(originOf(name, 'initiators'), initiator, initiatorAllowed)
  if (noAuth && users !== undefined) throw new ConfigError(`volumes.${name}: noAuth is not allowed together with users: nobody says who they are`)
  return {
    readOnly,
    noAuth,
    ...(users && { users }),
    ...(initiators && { initiators: initiators.map(initiator => initiator.toLowerCase()) }),
    ...(blockBytes !== undefined && { blockBytes }),
  }
}

const deviceMethods = [
  'readNow',
  'read',
  'writeNow',
  'write',
  'flush',
  'unmap',
  'zero',
  'compareAndWrite',
  'orWrite',
  'provisioning',
  'usage',
  'onResize',
] as const satisfies (keyof BlockDevice)[]

const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value))

/** Throws ConfigError for what would not work as a disk. */
function checkDevice(name: string, device: BlockDevice, blockBytes: VolumeBlockBytes): void {
  const where = `volumes.${name}.device`
  const missing = deviceMethods.filter(method => typeof (device as Partial<BlockDevice> | null)?.[method] !== 'function')
  if (missing.length > 0) throw new ConfigError(`${where}: this is no BlockDevice: it has no ${missing.join(', ')}`)
  const { sizeBytes, physicalBlockBytes } = device
  if (!(physicalBlockBytes >= 512 && isPowerOfTwo(physicalBlockBytes)))
    throw new ConfigError(`${where}: its physicalBlockBytes is ${physicalBlockBytes}; allowed: a power of two from 512, such as 4096`)
  const unit = Math.max(blockBytes, physicalBlockBytes)
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % unit !== 0) {
    const nearest = Number.isFinite(sizeBytes) ? Math.max(1, Math.ceil(sizeBytes / unit)) * unit : unit
    throw new ConfigError(`${where}: its sizeBytes is ${sizeBytes}; allowed: a multiple of ${unit}, a whole number of its blocks, such as ${nearest}`)
  }
}

const whyNot: Readonly<Record<Exclude<ChapReadiness, 'ready'>, (name: string) => string>> = {
  'password-too-short': name => `${quoted(name)} has a password of fewer than ${chapSecretCharactersMin} characters, which iSCSI does not take`,
  'password-not-kept': name => `the password of ${quoted(name)} was set by a version without iSCSI, which kept its hash only`,
}
const remedy = `give users a password of ${chapSecretCharactersMin} characters or more, or the volume noAuth: true`

/** Throws ConfigError for a volume that nobody could log in to. */
export function checkLogins(volumes: readonly (VolumeAccess & { readonly name: string })[], known: readonly UserEntry[]): void {
  for (const { name, noAuth, users } of volumes) {
    if (noAuth) continue
    const candidates = users === undefined ? known : known.filter(user => users.some(named => isSameUser(named, user.name)))
    if (candidates.some(({ chap }) => chap === 'ready')) continue
    const unknown = (users ?? []).filter(named => !known.some(user => isSameUser(named, user.name)))
    const reasons = [
      ...candidates.flatMap(user => (user.chap === 'ready' ? [] : [whyNot[user.chap](user.name)])),
      ...unknown.map(named => `there is no user ${quoted(named)}`),
    ]
    throw new ConfigError(`volumes.${name}: nobody can log in: ${reasons.join('; ') || 'no user is named'}; ${remedy}`)
  }
}

/** Throws ConfigError for a user with whose password the server could not prove anything. */
export function checkMutualChap(name: string, known: readonly UserEntry[]): void {
  const user = known.find(each => isSameUser(each.name, name))
  if (user === undefined) throw new ConfigError(`mutualChap: there is no user ${quoted(name)}; add one to users`)
  if (user.chap !== 'ready') throw new ConfigError(`mutualChap: ${whyNot[user.chap](name)}; give it one of ${chapSecretCharactersMin} or more`)
}

const isSameUser = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase()
