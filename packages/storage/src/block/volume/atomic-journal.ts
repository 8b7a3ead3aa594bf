/**
 * Writes that a crash leaves whole or undone (SBC-4 4.29): a redo journal, in a file of the volume. What is to be written is written there first;
 * when it is on stable storage it is written in place; when that is, the entry is cleared; when that is on stable storage, others may touch the
 * range again: whoever opens the volume does again what is in the journal, and may undo nothing by that. An entry that is not whole never began.
 *
 * Several entries may be there at a time, each in a slot, of ranges that do not overlap.
 */
import type { BlockDeviceError } from '../block-device.ts'
import { bytesOf } from '../buffers.ts'
import { decodeHeader, encodeHeader, headerBytes, isWhole, maximumDataBytes, slotBytes } from './atomic-entry.ts'
import type { AtomicEntry } from './atomic-entry.ts'
import type { BackingFile } from './backing-file.ts'
import type { StepHook } from './manager.ts'

const slotCount = 16
const blank = Buffer.alloc(headerBytes)

/** The size of the file. It is sparse: slots that are never used take no space. */
export const journalBytes = slotCount * slotBytes

/** Where the data of a slot ends and its header begins. */
const headerAt = (slot: number): number => slot * slotBytes + maximumDataBytes

/** What is written in place, within `AtomicJournal.run`: resolves to why it could not be, where all is as it was before; rejects where it is not. */
export type WriteInPlace = () => Promise<BlockDeviceError | undefined>

/** What a disk needs to write something as a whole. */
export interface AtomicWrites {
  readonly maximumBytes: number
  /** Whoever calls keeps all others away from the range until it settles. */
  run(write: Pick<AtomicEntry, 'offset' | 'data'>, writeInPlace: WriteInPlace): Promise<void>
}

/** What `AtomicJournal` needs. */
export interface AtomicJournalOptions {
  /** Makes the file, of `journalBytes`, blank and on stable storage. Called when the first entry comes. */
  readonly make: () => Promise<BackingFile>
  readonly onStep: StepHook
  /** Something was written in part, or may be written again: nobody may touch the volume until it has been opened anew. */
  readonly onTorn: () => void
}

/** See above. */
export class AtomicJournal implements AtomicWrites {
  readonly maximumBytes = maximumDataBytes
  readonly #options: AtomicJournalOptions
  readonly #isTaken: boolean[] = Array.from({ length: slotCount }, () => false)
  /** Who waits for a slot. */
  readonly #waiting: ((slot: number) => void)[] = []
  #file: Promise<BackingFile> | undefined
  #sequence = 0
  #running = 0
  #isDone: (() => void) | undefined

  constructor(options: AtomicJournalOptions) {
    this.#options = options
  }

  async run({ offset, data }: Pick<AtomicEntry, 'offset' | 'data'>, writeInPlace: WriteInPlace): Promise<void> {
    this.#running++
    const slot = await this.#take()
    try {
      const file = await this.#opened()
      await this.#put(file, slot, { sequence: ++this.#sequence, offset, data })
      await this.#options.onStep('write in place')
      const refusal = await this.#orTorn(writeInPlace)
      await this.#options.onStep('clear entry')
      await this.#orTorn(() => clear(file, slot))
      if (refusal !== undefined) throw refusal
    } finally {
      this.#give(slot)
      if (--this.#running === 0) this.#isDone?.()
    }
  }

  /** Waits for what is under way; nothing may be asked for afterwards. Resolves to whether there is a file. */
  async close(): Promise<boolean> {
    if (this.#running > 0) await new Promise<void>(resolve => (this.#isDone = resolve))
    const file = await this.#file
    await file?.close()
    return file !== undefined
  }

  async #take(): Promise<number> {
    // The lowest: a slot that has been used before takes no new space.
    const slot = this.#isTaken.indexOf(false)
    if (slot < 0) return new Promise(resolve => this.#waiting.push(resolve))
    this.#isTaken[slot] = true
    return slot
  }

  #give(slot: number): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#isTaken[slot] = false
    else next(slot)
  }

  /** One that could not be made is made by the next one who asks. */
  #opened(): Promise<BackingFile> {
    if (this.#file === undefined) {
      this.#file = this.#options.make()
      this.#file.catch(() => (this.#file = undefined)) // who asked for it hears of it
    }
    return this.#file
  }

  async #put(file: BackingFile, slot: number, entry: AtomicEntry): Promise<void> {
    const from = [...entry.data, encodeHeader(entry)]
    await this.#options.onStep('write entry')
    try {
      await file.write(from, headerAt(slot) + headerBytes - bytesOf(from), { isDurable: true })
    } catch (error) {
      // It failed, and may be there: it must not happen after all.
      await this.#orTorn(() => clear(file, slot))
      throw error
    }
  }

  async #orTorn<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      this.#options.onTorn()
      throw error
    }
  }
}

/** Where no header was written, as there was no space, none has to be cleared. */
const clear = async (file: BackingFile, slot: number): Promise<void> => {
  const header = Buffer.allocUnsafe(headerBytes)
  if (!file.readNow([header], headerAt(slot))) await file.read([header], headerAt(slot))
  if (!header.equals(blank)) await file.write([blank], headerAt(slot), { isDurable: true })
}

/** The entries that are whole, in the order in which they were begun. */
export const readEntries = async (file: BackingFile): Promise<AtomicEntry[]> => {
  const entries: AtomicEntry[] = []
  for (let slot = 0; slot < slotCount; slot++) {
    const page = Buffer.allocUnsafe(headerBytes)
    await file.read([page], headerAt(slot))
    const header = decodeHeader(page)
    if (header === undefined) continue
    const data = Buffer.allocUnsafe(header.lengthBytes)
    await file.read([data], headerAt(slot) - data.length)
    if (isWhole(header, data)) entries.push({ sequence: header.sequence, offset: header.offset, data: [data] })
  }
  return entries.sort((a, b) => a.sequence - b.sequence)
}
