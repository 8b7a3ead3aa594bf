/**
 * 8.3 names (MS-FSCC 2.1.5.2.1), made from the long name alone: the same name has the same short name, on every node, with
 * nothing stored. What a short name stands for is found in a cache of those handed out, or by looking through the folder.
 */
import { upcaseName, upcaseUnit } from './upcase.ts'

const shortNameForm = /^[A-Z0-9!#$%&'()\-@^_`{}~]{1,8}(\.[A-Z0-9!#$%&'()\-@^_`{}~]{1,3})?$/i
const validUnit = /[A-Z0-9!#$%&'()\-@^_`{}]/
/** Devices of DOS: such a name is none in 8.3 form, whatever its extension. */
const deviceName = /^(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\.|$)/i

/** Is the name an 8.3 name as it is (in any case)? */
export function isShortName(name: string): boolean {
  return shortNameForm.test(name) && !deviceName.test(name)
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

function validUnits(text: string, count: number): string {
  let taken = ''
  for (let index = 0; index < text.length && taken.length < count; index++) {
    const upper = String.fromCharCode(upcaseUnit(text.charCodeAt(index)))
    if (validUnit.test(upper)) taken += upper
  }
  return taken
}

/**
 * The 8.3 name of a file: itself in upper case where it is one, else its first character, five characters of a hash, `~`,
 * a sixth, and up to three characters of its extension (`V3K0QZ~1.TXT`). `''` for the root and the dot directories.
 */
export function shortNameOf(name: string): string {
  if (name === '' || name === '.' || name === '..') return ''
  if (isShortName(name)) return upcaseName(name)
  const lastDot = name.lastIndexOf('.')
  const hasExtension = lastDot > 0 && lastDot < name.length - 1
  const digits = (hash(name) % hashRange)
    .toString(36)
    .toUpperCase()
    .padStart(hashDigits + 1, '0')
  const first = validUnits(hasExtension ? name.slice(0, lastDot) : name, 1) || '_'
  const extension = hasExtension ? validUnits(name.slice(lastDot + 1), 3) : ''
  const base = `${first}${digits.slice(0, hashDigits)}~${digits.slice(hashDigits)}`
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
