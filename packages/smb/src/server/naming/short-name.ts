/**
 * 8.3 names (MS-FSCC 2.1.5.2.1), made from the long name alone: the same name has the same short name, on every node, with
 * nothing stored. What a short name stands for is found in a cache of those handed out, or by looking through the folder.
 */
import { upcaseName, upcaseUnit } from './upcase.ts'

/** Units that an 8.3 name may have, ASCII all of them; lower case counts as upper case. The tilde is kept for generated names. */
const validUnits = new Uint8Array(0x80)
for (const unit of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'()-@^_`{}~") validUnits[unit.charCodeAt(0)] = 1
const tilde = 0x7e
const dot = 0x2e

/** Devices of DOS: such a name is none in 8.3 form, whatever its extension. */
const deviceName = /^(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\.|$)/i

const isValid = (unit: number): boolean => unit < 0x80 && validUnits[unit] === 1

/** Is the name an 8.3 name as it is (in any case)? */
export function isShortName(name: string): boolean {
  if (name.length > 12 || name.length === 0) return false
  let baseUnits = -1
  for (let index = 0; index < name.length; index++) {
    const unit = name.charCodeAt(index)
    if (unit === dot) {
      if (baseUnits >= 0) return false
      baseUnits = index
    } else if (!isValid(unit)) return false
  }
  if (baseUnits < 0) return name.length <= 8 && !deviceName.test(name)
  const extensionUnits = name.length - baseUnits - 1
  return baseUnits >= 1 && baseUnits <= 8 && extensionUnits >= 1 && extensionUnits <= 3 && !deviceName.test(name)
}

const hashDigits = 5
const hashRange = 36 ** (hashDigits + 1)

/** FNV-1a over the upper-cased name: names that are the same to Windows have the same short name. */
function hash(name: string): number {
  let value = 0x811c_9dc5
  for (let index = 0; index < name.length; index++) {
    const unit = upcaseUnit(name.charCodeAt(index))
    value = Math.imul(value ^ (unit & 0xff), 0x0100_0193)
    value = Math.imul(value ^ (unit >>> 8), 0x0100_0193)
  }
  // FNV's low bits mix poorly for short names.
  value ^= value >>> 15
  value = Math.imul(value, 0x2c1b_3c6d)
  return (value ^ (value >>> 12)) >>> 0
}

/** The first `count` units between two positions that an 8.3 name may have, in upper case. */
function takeValid(name: string, range: { readonly from: number; readonly to: number }, count: number): string {
  let taken = ''
  for (let index = range.from; index < range.to && taken.length < count; index++) {
    const unit = name.charCodeAt(index)
    if (isValid(unit) && unit !== tilde) taken += String.fromCharCode(upcaseUnit(unit))
  }
  return taken
}

const digits36 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'

/**
 * The 8.3 name of a file: itself in upper case where it is one, else its first character, five characters of a hash, `~`,
 * a sixth, and up to three characters of its extension (`V3K0QZ~1.TXT`). `''` for the root and the dot directories.
 */
export function shortNameOf(name: string): string {
  if (name === '' || name === '.' || name === '..') return ''
  if (isShortName(name)) return upcaseName(name)
  const lastDot = name.lastIndexOf('.')
  const hasExtension = lastDot > 0 && lastDot < name.length - 1
  let rest = hash(name) % hashRange
  const last = digits36[rest % 36]
  let middle = ''
  for (let digit = 0; digit < hashDigits; digit++) {
    rest = Math.floor(rest / 36)
    middle += digits36[rest % 36]
  }
  const first = takeValid(name, { from: 0, to: hasExtension ? lastDot : name.length }, 1) || '_'
  const base = `${first}${middle}~${last}`
  const extension = hasExtension ? takeValid(name, { from: lastDot + 1, to: name.length }, 3) : ''
  return extension === '' ? base : `${base}.${extension}`
}

/** The short name as listings have it: `''` where the name is an 8.3 name already (MS-FSCC 2.4.8). */
export function listedShortName(name: string): string {
  return name === '.' || name === '..' || isShortName(name) ? '' : shortNameOf(name)
}

const generatedForm = /^[^~]{6}~[0-9A-Z](\.[^.]{1,3})?$/i

/** May this component be a short name made by `shortNameOf`? */
export function looksGenerated(component: string): boolean {
  return component.length >= 8 && component.length <= 12 && generatedForm.test(component) && isShortName(component)
}

/**
 * Short names handed out, by folder. It also does what Windows calls tunnelling: a file that is deleted and made anew by
 * its short name gets its long name back.
 */
export class ShortNames {
  readonly #names = new Map<string, string>()
  readonly #capacity: number

  constructor(options: { readonly capacity?: number } = {}) {
    this.#capacity = options.capacity ?? 4096
  }

  /** The short name of a file in a folder (its path, in any case), which `resolve` will know. */
  remember(folder: string, name: string): string {
    const shortName = shortNameOf(name)
    if (shortName === '' || isShortName(name)) return shortName
    const key = `${upcaseName(folder)}/${shortName}`
    this.#names.delete(key)
    if (this.#names.size >= this.#capacity) {
      const [oldest] = this.#names.keys()
      this.#names.delete(oldest)
    }
    this.#names.set(key, name)
    return shortName
  }

  /** The long name that a component stands for in a folder, if it was handed out; ask only when nothing has the name itself. */
  resolve(folder: string, component: string): string | undefined {
    return looksGenerated(component) ? this.#names.get(`${upcaseName(folder)}/${upcaseName(component)}`) : undefined
  }
}
