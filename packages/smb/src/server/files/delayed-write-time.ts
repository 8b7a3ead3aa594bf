/**
 * The write time as an open sees it: what it writes shows two seconds after its first write, and what it writes later when it is closed; FLUSH
 * and a change of size or times show it at once. Windows before Server 2019 and Samba do the same (MS-FSA 2.1.4.17 leaves it to the object
 * store), and clients rely on it. The file itself always has the true time, which everybody else sees. A share may switch it off.
 */
import type { FileInfo, FileTime, MaybePromise } from '@holdfast/storage'
import type { FileOpen } from './file-open.ts'

const delayMs = 2000

export class DelayedWriteTime {
  readonly #now: () => number
  /** Shown instead of the true time, until `#dueMs` or, for writes after that, until the end. */
  #shown: FileTime | undefined
  #dueMs = 0
  #isLate = false

  /** `now`: milliseconds on a monotonic clock. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Before a write; `info` asks for the file's metadata, which only the first write after a change of what is shown does. */
  beforeWrite(info: () => MaybePromise<FileInfo>): MaybePromise<void> {
    if (this.#isLate || (this.#shown !== undefined && this.#now() < this.#dueMs)) return
    this.#isLate = this.#shown !== undefined
    const before = info()
    return before instanceof Promise ? before.then(later => this.#keep(later)) : this.#keep(before)
  }

  #keep({ writtenAt }: FileInfo): void {
    this.#shown = writtenAt
    this.#dueMs = this.#now() + delayMs
  }

  /** The true time shows from now on. */
  settle(): void {
    this.#shown = undefined
    this.#isLate = false
  }

  /** True when later writes have not shown yet: closing the open is when they do. */
  get isLate(): boolean {
    return this.#isLate
  }

  /** Metadata as this open shows it. */
  show(info: FileInfo): FileInfo {
    const hides = this.#shown !== undefined && (this.#isLate || this.#now() < this.#dueMs)
    return hides ? { ...info, writtenAt: this.#shown! } : info
  }
}

/** Metadata as a query through this open shows it. */
export function shownInfo(open: FileOpen): MaybePromise<FileInfo> {
  const info = open.handle.info()
  const { delayed } = open
  if (delayed === undefined) return info
  return info instanceof Promise ? info.then(later => delayed.show(later)) : delayed.show(info)
}

/** Before CLOSE: what was written late is written now, as far as anybody can tell. */
export async function settleAtClose(open: FileOpen): Promise<void> {
  if (open.delayed?.isLate !== true) return
  await open.handle.setInfo({ writtenAt: open.files.wallClock() })
  open.delayed.settle()
}
