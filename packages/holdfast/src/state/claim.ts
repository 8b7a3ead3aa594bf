/** Claims between processes, by a file: one that dies (kill -9) loses its claim. */

import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

/** `pid` and when it started, so that a reused pid is not taken for the process (proc(5), field 22). */
function processMark(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    try {
      process.kill(pid, 0)
      return process.platform === 'linux' ? undefined : `${pid}`
    } catch {
      return undefined
    }
  }
}

/** Somebody else has the claim. */
export interface Holder {
  readonly pid: number
}

/** Writes the claim, or says who has it. Within a process it claims nothing: what that left behind when it had the same pid is its own. */
export function claim(path: string): Disposable | Holder {
  const mark = processMark(process.pid) ?? `${process.pid}`
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, mark, { mode: 0o600 })
  try {
    for (let attempt = 0; ; attempt++) {
      try {
        linkSync(temporary, path)
        break
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = readMark(path)
      const pid = Number.parseInt(holder, 10)
      const alive = pid !== process.pid && holder !== '' && processMark(pid) === holder
      if (alive || attempt > 3) return { pid }
      rmSync(path, { force: true })
    }
  } finally {
    rmSync(temporary, { force: true })
  }
  return {
    [Symbol.dispose]() {
      if (readMark(path) === mark) rmSync(path, { force: true })
    },
  }
}

const pauseMs = 5
const sleeper = new Int32Array(new SharedArrayBuffer(4))

/** The same for what takes a moment only: waits for its turn. Throws where that does not come within `patienceMs`. */
export function claimSoon(path: string, patienceMs: number): Disposable {
  const endMs = performance.now() + patienceMs
  for (;;) {
    const claimed = claim(path)
    if (Symbol.dispose in claimed) return claimed
    if (performance.now() > endMs) throw new Error(`process ${claimed.pid} has ${path}`)
    Atomics.wait(sleeper, 0, 0, pauseMs)
  }
}

function readMark(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
