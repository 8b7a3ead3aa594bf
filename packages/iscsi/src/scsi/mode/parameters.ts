/** The mode parameters of a unit (SPC-4 5.12): current, default, saved, and what can be changed. */
import { UsageError } from '@holdfast/wire'
import type { LogicalUnit } from '../logical-unit.ts'
import { CheckCondition, invalidFieldInCdb, invalidFieldInParameterList } from '../sense.ts'
import { ModeFields, modePages } from './pages.ts'
import type { ModeField, ModePage } from './pages.ts'

/** Where saved mode parameters are: pages in hex, by `code.subpage`. */
export interface ModeStore {
  /** What was saved last. */
  load(): Readonly<Record<string, string>> | undefined
  /** On stable storage when it resolves. */
  save(pages: Readonly<Record<string, string>>): Promise<void>
}

/** PC of MODE SENSE (SPC-4 table 'Page control (PC) field'). */
export const PageControl = { current: 0, changeable: 1, default: 2, saved: 3 } as const

/** Asks for all pages, or all subpages. */
const allPages = 0x3f
const allSubpages = 0xff
const parametersSaveable = 0x80
const subPageFormat = 0x40

const idOf = ({ code, subpage }: { readonly code: number; readonly subpage: number }): string => `${code}.${subpage}`
const headerBytesOf = (page: ModePage): number => (page.subpage === 0 ? 2 : 4)

type Values = ReadonlyMap<string, Buffer>

const defaults: Values = new Map(modePages.map(page => [idOf(page), page.defaults]))

/** The parameters. They are shared by all initiators (VPD 87h says so). */
export class ModeParameters {
  readonly #unit: LogicalUnit
  readonly #store: ModeStore | undefined
  #current: Values
  #saved: Values

  constructor(unit: LogicalUnit, store: ModeStore | undefined) {
    this.#unit = unit
    this.#store = store
    this.#saved = new Map([...defaults, ...savedPages(store?.load() ?? {})])
    this.#current = this.#saved
  }

  get isWriteCacheEnabled(): boolean {
    return this.#is(ModeFields.writeCacheEnabled)
  }

  get isDescriptorSense(): boolean {
    return this.#is(ModeFields.descriptorSense)
  }

  get isSoftwareWriteProtected(): boolean {
    return this.#is(ModeFields.softwareWriteProtect)
  }

  get isTaskAbortedStatus(): boolean {
    return this.#is(ModeFields.taskAbortedStatus)
  }

  get isSaveable(): boolean {
    return this.#store !== undefined
  }

  #is(field: ModeField): boolean {
    return (valueOf(this.#current, field)[field.byte] & field.mask) !== 0
  }

  /** The pages that MODE SENSE asks for, one after the other. Throws CheckCondition for pages that there are not. */
  sense(pageControl: number, code: number, subpage: number): Buffer {
    if (pageControl === PageControl.saved && !this.isSaveable) throw new CheckCondition('ILLEGAL REQUEST', 'SAVING PARAMETERS NOT SUPPORTED')
    if (code === allPages && subpage !== 0 && subpage !== allSubpages) throw invalidFieldInCdb(3)
    const ofCode = code === allPages ? modePages : modePages.filter(page => page.code === code)
    if (ofCode.length === 0) throw invalidFieldInCdb(2, 5)
    const wanted = subpage === allSubpages ? ofCode : ofCode.filter(page => page.subpage === subpage)
    if (wanted.length === 0) throw invalidFieldInCdb(3)
    return Buffer.concat(wanted.map(page => this.#shown(page, pageControl)))
  }

  #shown(page: ModePage, pageControl: number): Buffer {
    const values = [valueOf(this.#current, page), page.changeable, page.defaults, valueOf(this.#saved, page)][pageControl]
    const result = Buffer.from(values)
    if (this.isSaveable) result[0] |= parametersSaveable
    return result
  }

  /**
   * MODE SELECT: pages one after the other, from `at` on. All of them or none are set. Throws CheckCondition. True when something has changed.
   */
  async select(list: Buffer, at: number, saves: boolean): Promise<boolean> {
    if (saves && !this.isSaveable) throw invalidFieldInCdb(1, 0)
    const next = new Map(this.#current)
    for (let from = at; from < list.length;) {
      const page = pageAt(list, from)
      next.set(idOf(page), checked(list, from, page, valueOf(this.#current, page)))
      from += page.defaults.length
    }
    const before = this.#current
    const isChanged = modePages.some(page => !valueOf(next, page).equals(valueOf(before, page)))
    if (isChanged) this.#change(next)
    try {
      // A cache that is switched off, and a medium that is protected, have everything on the medium (SBC-4 6.5.5, SPC-4 7.5.8): first the change,
      // so that nothing is cached behind the flush.
      if (isChanged) await this.#unit.device.flush()
      if (saves) await this.#save(next)
    } catch (error) {
      if (this.#current === next) this.#change(before)
      throw error
    }
    return isChanged
  }

  #change(values: Values): void {
    this.#current = values
    this.#unit.modeChanged()
  }

  async #save(values: Values): Promise<void> {
    await this.#store?.save(Object.fromEntries([...values].map(([id, bytes]) => [id, bytes.toString('hex')])))
    this.#saved = values
  }

  /** After a reset: what was saved last, or the defaults. */
  reset(): void {
    this.#change(this.#saved)
  }
}

function valueOf(values: Values, page: { readonly code: number; readonly subpage: number }): Buffer {
  const value = values.get(idOf(page))
  if (value === undefined) throw new UsageError('mode-page', `no mode page ${idOf(page)}`)
  return value
}

/** What was saved by a version that knew other pages, or other lengths, is left out. */
function savedPages(record: Readonly<Record<string, string>>): [string, Buffer][] {
  return Object.entries(record)
    .map(([id, digits]): [string, Buffer] => [id, Buffer.from(digits, 'hex')])
    .filter(([id, bytes]) => defaults.get(id)?.length === bytes.length)
}

/** The page that begins there. */
function pageAt(list: Buffer, at: number): ModePage {
  const isSubpage = (list[at] & subPageFormat) !== 0
  if (list.length - at < (isSubpage ? 4 : 2)) throw new CheckCondition('ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
  const code = list[at] & 0x3f
  const page = modePages.find(known => known.code === code && known.subpage === (isSubpage ? list[at + 1] : 0))
  if (page === undefined) throw invalidFieldInParameterList(at, 5)
  const lengthAt = at + headerBytesOf(page) - (isSubpage ? 2 : 1)
  const length = isSubpage ? list.readUInt16BE(lengthAt) : list[lengthAt]
  if (length !== page.defaults.length - headerBytesOf(page)) throw invalidFieldInParameterList(lengthAt)
  if (list.length - at < page.defaults.length) throw new CheckCondition('ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
  return page
}

/** The new value of a page: what cannot be changed has to be as it is (SPC-4 6.11). */
function checked(list: Buffer, at: number, page: ModePage, current: Buffer): Buffer {
  const value = Buffer.from(page.defaults)
  for (let index = headerBytesOf(page); index < value.length; index++) {
    const wrong = (list[at + index] ^ current[index]) & ~page.changeable[index]
    if (wrong !== 0) throw invalidFieldInParameterList(at + index, 31 - Math.clz32(wrong & 0xff))
    value[index] = list[at + index]
  }
  return value
}
