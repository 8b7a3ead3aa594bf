/** `--volume NAME=SIZE[,option...]`: what the configuration says of a block volume. */

import { badValue, ConfigError, type Origin, originText } from './errors.ts'
import { initiatorPattern, userNamePattern, volumeNameAllowed, volumeNamePattern } from './names.ts'
import { parseSize } from './units.ts'

/** Who may use a volume, and for what. */
export interface VolumeAccess {
  /** Initiators cannot write. */
  readonly readOnly: boolean
  /** Initiators need not say who they are (CHAP). */
  readonly noAuth: boolean
  /** Who may log in; every user where undefined. */
  readonly users?: readonly string[]
  /** iSCSI names of the initiators that may log in; all where undefined. */
  readonly initiators?: readonly string[]
}

/** A volume that the configuration names: it is made where it is missing. */
export interface VolumeSettings extends VolumeAccess {
  readonly name: string
  readonly sizeBytes: number
  /** Logical blocks as initiators see them; as it was made where undefined, 512 for a new one. */
  readonly blockBytes?: VolumeBlockBytes
  /** What is read is compared with checksums; as it was made where undefined, without for a new one. */
  readonly checksums?: true
}

/** Sizes of a logical block. */
export const volumeBlockSizes = [512, 4096] as const
export type VolumeBlockBytes = (typeof volumeBlockSizes)[number]

/** Words without a value. */
export const volumeFlagNames = ['read-only', 'no-auth', 'checksums'] as const
export type VolumeFlag = (typeof volumeFlagNames)[number]

const optionForms = [...volumeFlagNames, 'block-size=512|4096', 'user=NAME', 'initiator=IQN']
/** What may follow a size, for messages. */
export const volumeOptionsAllowed = optionForms.join(', ')
export const volumeAllowed = `NAME=SIZE[,option...], such as disk0=1GiB, with the options ${volumeOptionsAllowed}`

const MiB = 2 ** 20
/** Sizes are multiples of the larger block. */
const sizeStep = 4096
const sizeMin = MiB
const sizeMax = 2 ** 50
export const volumeSizeAllowed = 'a size from 1MiB to 1PiB, such as 10GiB'

/** Bytes of a volume, rounded up to a multiple of 4096; undefined for what is no size of a volume. */
export function parseVolumeSize(text: string | number): number | undefined {
  const bytes = parseSize(text)
  return bytes === undefined || bytes < sizeMin || bytes > sizeMax ? undefined : Math.ceil(bytes / sizeStep) * sizeStep
}

/** A volume of the file as an object. */
interface VolumeObject {
  readonly name: string
  readonly size: string | number
  readonly options?: readonly VolumeFlag[]
  readonly 'block-size'?: VolumeBlockBytes
  readonly users?: readonly string[]
  readonly initiators?: readonly string[]
}

/** Throws ConfigError with one line that names the key, the value and what is allowed. */
export function parseVolume(value: unknown, origin: Origin): VolumeSettings {
  const { name, size, words } = typeof value === 'object' && value !== null ? partsOfObject(value as VolumeObject) : partsOfText(value, origin)
  if (!volumeNamePattern.test(name)) throw badValue(origin, name, volumeNameAllowed)
  const sizeBytes = parseVolumeSize(size)
  if (sizeBytes === undefined) throw badValue(origin, `${name}=${size}`, volumeSizeAllowed)
  return { name, sizeBytes, ...parseVolumeOptions(words, origin) }
}

interface VolumeParts {
  readonly name: string
  readonly size: string | number
  readonly words: readonly string[]
}

function partsOfText(value: unknown, origin: Origin): VolumeParts {
  const [first = '', ...words] = (typeof value === 'string' ? value : '').split(',')
  const [name, size] = splitAt(first, '=')
  if (name === '' || size === undefined) throw badValue(origin, value, volumeAllowed)
  return { name, size, words }
}

const partsOfObject = (given: VolumeObject): VolumeParts => ({
  name: given.name,
  size: given.size,
  words: [
    ...(given.options ?? []),
    ...(given['block-size'] === undefined ? [] : [`block-size=${given['block-size']}`]),
    ...(given.users ?? []).map(name => `user=${name}`),
    ...(given.initiators ?? []).map(name => `initiator=${name}`),
  ],
})

/** What a volume is made with, for good. */
export type VolumeMade = Pick<VolumeSettings, 'blockBytes' | 'checksums'>
type Options = VolumeAccess & VolumeMade
interface Draft {
  readonly flags: Set<string>
  readonly users: string[]
  readonly initiators: string[]
  blockBytes?: VolumeBlockBytes
}

/** What an option with a value does; false for a value that it does not take. */
const optionsWithValue: Readonly<Record<string, (draft: Draft, value: string) => boolean>> = {
  'block-size'(draft, value) {
    const found = volumeBlockSizes.find(size => String(size) === value)
    if (found !== undefined) draft.blockBytes = found
    return found !== undefined
  },
  user: (draft, value) => userNamePattern.test(value) && draft.users.push(value) > 0,
  initiator: (draft, value) => initiatorPattern.test(value) && draft.initiators.push(value.toLowerCase()) > 0,
}

function takeOption(draft: Draft, word: string): boolean {
  const [name, value] = splitAt(word, '=')
  if (value === undefined) return (volumeFlagNames as readonly string[]).includes(name) && draft.flags.add(name).size > 0
  return Object.hasOwn(optionsWithValue, name) && (optionsWithValue[name]?.(draft, value) ?? false)
}

/** The options as they follow a size. Throws ConfigError. */
export function parseVolumeOptions(words: readonly string[], origin: Origin): Options {
  const draft: Draft = { flags: new Set(), users: [], initiators: [] }
  for (const word of words) {
    if (!takeOption(draft, word)) throw badValue(origin, word, `the options ${volumeOptionsAllowed}`)
  }
  const { flags, users, initiators, blockBytes } = draft
  const noAuth = flags.has('no-auth')
  if (noAuth && users.length > 0)
    throw new ConfigError(`${originText(origin)}: "no-auth" is not allowed together with "user": nobody says who they are`)
  return {
    readOnly: flags.has('read-only'),
    noAuth,
    ...(users.length > 0 && { users }),
    ...(initiators.length > 0 && { initiators }),
    ...(blockBytes !== undefined && { blockBytes }),
    ...(flags.has('checksums') && { checksums: true }),
  }
}

/** Options as what a volume is made with, and who may use it. */
export const splitOptions = ({ blockBytes, checksums, ...access }: Options): { readonly made: VolumeMade; readonly access: VolumeAccess } => ({
  made: { ...(blockBytes !== undefined && { blockBytes }), ...(checksums && { checksums }) },
  access,
})

/** The words that `parseVolumeOptions` makes these options of. */
export const volumeOptionWords = ({ readOnly, noAuth, users = [], initiators = [], blockBytes, checksums }: Options): string[] => [
  ...(readOnly ? ['read-only'] : []),
  ...(noAuth ? ['no-auth'] : []),
  ...(checksums ? ['checksums'] : []),
  ...(blockBytes === undefined ? [] : [`block-size=${blockBytes}`]),
  ...users.map(name => `user=${name}`),
  ...initiators.map(name => `initiator=${name}`),
]

/** Each name once. */
export function checkVolumes(parsed: readonly { readonly volume: VolumeSettings; readonly origin: Origin }[]): VolumeSettings[] {
  const seen = new Set<string>()
  for (const { volume, origin } of parsed) {
    if (seen.has(volume.name)) throw badValue(origin, volume.name, 'each volume name once')
    seen.add(volume.name)
  }
  return parsed.map(({ volume }) => volume)
}

/** At the first of them: the second part is undefined where there is none. */
function splitAt(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}
