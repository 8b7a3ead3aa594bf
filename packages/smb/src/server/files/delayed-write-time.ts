/**
 * The write time as an open sees it: what it writes shows two seconds after its first write, and what it writes later when it is closed; FLUSH
 * and a change of size or times show it at once. Windows before Server 2019 and Samba do the same (MS-FSA 2.1.4.17 leaves it to the object
 * store), and clients rely on it. The file itself always has the true time, which everybody else sees. A share may switch it off.
 */
import type { FileInfo, FileTime, MaybePromise } from '@holdfast/storage'
import type { FileOpen } from './file-open.ts'

const delayMs = 2000
/** The time of a write and the write time that the filesystem notes are that close, in 100 ns. */
const tolerance = 10_000_000n

/** What the clocks say. */
export interface WriteClocks {
  /** Milliseconds, monotonic. */
  now(): number
  /** The time of day. */
  wallClock(): FileTime
}

/** Where an open is with what it has written. */
type Phase = 'shown' | 'delayed' | 'late'

export class DelayedWriteTime {
  readonly #clocks: WriteClocks
  #phase: Phase = 'shown'
  /** What is shown instead of the time of the open's last write. */
  #before: FileTime = 0n
  #dueMs = 0
  #wroteMs = 0

  constructor(clocks: WriteClocks) {
    this.#clocks = clocks
  }

  /** Before each write; `info` tells the file's metadata, and is asked where a delay begins only. */
  beforeWrite(info: () => MaybePromise<FileInfo>): MaybePromise<void> {
    const nowMs = this.#clocks.now()
    this.#wroteMs = nowMs
    if (this.#phase === 'late' || (this.#phase === 'delayed' && nowMs < this.#dueMs)) return
    const phase = this.#phase === 'shown' ? 'delayed' : 'late'
    const found = info()
    return found instanceof Promise ? found.then(later => this.#begin(phase, later, nowMs)) : this.#begin(phase, found, nowMs)
  }

  #begin(phase: Phase, { writtenAt }: FileInfo, nowMs: number): void {
    this.#phase = phase
    this.#before = writtenAt
    this.#dueMs = nowMs + delayMs
  }

  /** The true time shows from now on. */
  settle(): void {
    this.#phase = 'shown'
  }

  /** Metadata as this open shows it. */
  show(info: FileInfo): FileInfo {
    const hides = this.#phase === 'late' || (this.#phase === 'delayed' && this.#clocks.now() < this.#dueMs)
    return hides && this.#isOurs(info) ? { ...info, writtenAt: this.#before } : info
  }

  /** What was written late shows at the end: is this file still as the open has written it then? */
  isLate(info: FileInfo): boolean {
    return this.#phase === 'late' && this.#isOurs(info)
  }

  get mayBeLate(): boolean {
    return this.#phase === 'late'
  }

  /** False once somebody has set another time, or written later. */
  #isOurs({ writtenAt }: FileInfo): boolean {
    const agoMs = this.#clocks.now() - this.#wroteMs
    const wroteAt = this.#clocks.wallClock() - BigInt(Math.round(agoMs * 10_000))
    return writtenAt > wroteAt - tolerance && writtenAt < wroteAt + tolerance
  }
}

/** Metadata as a query through this open shows it. */
export function shownInfo(open: FileOpen): MaybePromise<FileInfo> {
  const info = open.handle.info()
  return info instanceof Promise ? info.then(later => shown(open, later)) : shown(open, info)
}

function shown({ delayed, renamed }: FileOpen, info: FileInfo): FileInfo {
  const timed = delayed === undefined ? info : delayed.show(info)
  return renamed !== undefined && info.changedAt === renamed.changedAt ? { ...timed, changedAt: renamed.shown } : timed
}

/** Before CLOSE: what was written late is written now, as far as anybody can tell. */
export async function settleAtClose(open: FileOpen): Promise<void> {
  const { delayed } = open
  if (delayed === undefined) return
  // A time that the client has set through this open stays.
  if (delayed.mayBeLate && open.frozen?.writtenAt === undefined && delayed.isLate(await open.handle.info())) {
    await open.handle.setInfo({ writtenAt: open.files.wallClock() })
  }
  delayed.settle()
}
