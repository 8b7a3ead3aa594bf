/** The state of a folder's listing through one open (MS-SMB2 3.3.5.18, MS-FSA 2.1.5.6.3). */
import type { FileHandle, FileInfo, FolderEntry, MaybePromise } from '@holdfast/storage'
import { compilePattern, listedShortName } from '../naming/index.ts'
import type { NamePattern } from '../naming/index.ts'
import type { DirectoryWriter } from '../../messages/fscc-directory.ts'
import { isPromise } from './opened.ts'

export type Shown = (entry: FolderEntry) => MaybePromise<boolean>

interface Named {
  readonly entry: FolderEntry
  readonly name: string
}

/** Most layouts have none. */
const shortNameFor = (writer: DirectoryWriter, name: string): string => (writer.wantsShortName ? listedShortName(name) : '')

export class FolderSearch {
  readonly pattern: string
  readonly #pattern: NamePattern
  readonly #entries: Iterator<MaybePromise<FolderEntry | undefined>>
  readonly #dots: Named[]
  readonly #shown: Shown | undefined
  /** Read from the filesystem and not yet sent. */
  #next: Named | undefined
  #index = 0
  /** Something has been sent, so that the end is NO_MORE_FILES and not NO_SUCH_FILE. */
  hasSent = false

  private constructor(options: {
    pattern: string
    compiled: NamePattern
    entries: Iterable<MaybePromise<FolderEntry | undefined>>
    dots: Named[]
    shown: Shown | undefined
  }) {
    this.pattern = options.pattern
    this.#pattern = options.compiled
    this.#entries = options.entries[Symbol.iterator]()
    this.#dots = options.dots.filter(({ name }) => this.#pattern.matches(name))
    this.#shown = options.shown
  }

  /** A pattern without wildcards is a lookup, not a listing. */
  static async start(options: {
    handle: FileHandle
    parent: () => Promise<FileInfo>
    pattern: string
    shown: Shown | undefined
  }): Promise<FolderSearch> {
    const { handle, pattern } = options
    const compiled = compilePattern(pattern)
    const { literal } = compiled
    const entries = await handle.entries(literal === undefined ? undefined : [literal])
    const dots: Named[] = []
    if (literal === undefined || literal === '.' || literal === '..') {
      dots.push({ entry: await handle.info(), name: '.' }, { entry: await options.parent(), name: '..' })
    }
    return new FolderSearch({ pattern, compiled, entries, dots, shown: options.shown })
  }

  /** Writes entries until `writer` is full or nothing is left; true when something was written. `single`: one entry only. */
  async fill(writer: DirectoryWriter, single: boolean): Promise<boolean> {
    for (;;) {
      const next = this.#next ?? (await this.#take())
      if (next === undefined) break
      this.#next = next
      if (!writer.add(next.entry, next.name, this.#index + 1, shortNameFor(writer, next.name))) break
      this.#advance()
      if (single) break
    }
    return writer.count > 0
  }

  get atEnd(): boolean {
    return this.#next === undefined
  }

  /** The entry that did not fit, cut off. */
  writeTruncated(writer: DirectoryWriter): void {
    const next = this.#next!
    writer.addTruncated(next.entry, next.name, this.#index + 1, shortNameFor(writer, next.name))
    this.#advance()
  }

  #advance(): void {
    this.#next = undefined
    this.#index++
    this.hasSent = true
  }

  async #take(): Promise<Named | undefined> {
    const dot = this.#dots.shift()
    if (dot !== undefined) return dot
    for (let step = this.#entries.next(); step.done !== true; step = this.#entries.next()) {
      const entry = isPromise(step.value) ? await step.value : step.value
      if (entry === undefined || !this.#pattern.matches(entry.name)) continue
      const shown = this.#shown?.(entry) ?? true
      if (isPromise(shown) ? await shown : shown) return { entry, name: entry.name }
    }
    return undefined
  }
}
