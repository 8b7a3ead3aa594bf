/**
 * The write time as clients saw it before Windows Server 2019: what an open writes shows two seconds after its first write, and what it writes
 * later when it is closed; FLUSH and a change of size or times show it at once (MS-FSA 2.1.4.17).
 * Some old backup programs and databases compare times that way. The file itself always has the true time, which everybody else sees.
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
  async beforeWrite(info: () => MaybePromise<FileInfo>): Promise<void> {
    if (this.#isLate || (this.#shown !== undefined && this.#now() < this.#dueMs)) return
    this.#isLate = this.#shown !== undefined
    this.#shown = (await info()).writtenAt
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
