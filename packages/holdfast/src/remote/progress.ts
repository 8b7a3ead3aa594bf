/** A progress bar on a terminal: how far, how fast, how long still. */

import { formatDuration, formatSize } from '../config/units.ts'

export interface Progress {
  /** A file begins; `sizeBytes` where it is known. */
  begin(name: string, sizeBytes: number | undefined): void
  /** More of it has been copied. */
  add(bytes: number): void
  /** Says that nothing comes, and why; undefined: it does again. */
  pause(why: string | undefined): void
  /** Takes the bar away. */
  end(): void
}

/** Shows nothing. */
export const noProgress: Progress = { begin() {}, add() {}, pause() {}, end() {} }

export interface ProgressOptions {
  readonly write: (text: string) => void
  readonly columns: () => number
  /** Milliseconds; monotonic. */
  readonly clock?: () => number
}

const redrawMs = 100
/** The rate is that of the last seconds. */
const windowMs = 3000

/** A bar that redraws itself ten times a second while bytes come. */
export function createProgress({ write, columns, clock = () => performance.now() }: ProgressOptions): Progress {
  let name = ''
  let total: number | undefined
  let done = 0
  let startedMs = clock()
  let drawnMs = -Infinity
  let paused: string | undefined
  let samples: { ms: number; bytes: number }[] = []

  const draw = (now: number): void => {
    drawnMs = now
    samples.push({ ms: now, bytes: done })
    while (samples.length > 2 && now - samples[0].ms > windowMs) samples.shift()
    write(`\r\u001b[K${progressLine({ name, total, done, rate: rateOf(samples), elapsedMs: now - startedMs, columns: columns(), paused })}`)
  }
  return {
    begin(nextName, sizeBytes) {
      name = nextName
      total = sizeBytes
      done = 0
      startedMs = clock()
      samples = [{ ms: startedMs, bytes: 0 }]
      drawnMs = startedMs
    },
    add(bytes) {
      done += bytes
      const now = clock()
      if (now - drawnMs >= redrawMs) draw(now)
    },
    pause(why) {
      paused = why
      if (name !== '') draw(clock())
    },
    end: () => write('\r\u001b[K'),
  }
}

function rateOf(samples: readonly { readonly ms: number; readonly bytes: number }[]): number {
  const [first, last] = [samples[0], samples.at(-1)]
  return first === undefined || last === undefined || last.ms === first.ms ? 0 : ((last.bytes - first.bytes) * 1000) / (last.ms - first.ms)
}

export interface ProgressState {
  readonly name: string
  readonly total: number | undefined
  readonly done: number
  /** Bytes a second. */
  readonly rate: number
  readonly elapsedMs: number
  readonly columns: number
  /** Stands in place of the rate while nothing comes. */
  readonly paused?: string | undefined
}

/** `film.mkv  42% [=======>          ] 1.2 GiB  310 MiB/s  0:05` */
export function progressLine({ name, total, done, rate, elapsedMs, columns, paused }: ProgressState): string {
  const share = total === undefined ? undefined : total === 0 ? 1 : Math.min(done / total, 1)
  const left = share === undefined || rate === 0 ? undefined : ((total! - done) * 1000) / rate
  const time = left === undefined ? formatDuration(elapsedMs) : `${formatDuration(left)} left`
  const numbers = `${formatSize(done)}  ${paused ?? `${formatSize(rate)}/s  ${time}`}`
  const percent = share === undefined ? '' : `${String(Math.floor(share * 100)).padStart(3)}% `
  const room = columns - 1 - numbers.length - percent.length - 2
  if (room < 10) return `${percent}${numbers}`.slice(0, Math.max(columns - 1, 0))
  const barColumns = share === undefined ? 0 : Math.min(40, Math.floor(room / 2))
  const shown = fit(name, room - (barColumns === 0 ? 0 : barColumns + 1))
  return `${shown} ${percent}${barColumns === 0 ? '' : `${bar(share!, barColumns)} `}${numbers}`
}

/** `[====>    ]` */
export function bar(share: number, columns: number): string {
  const inner = columns - 2
  const filled = Math.floor(share * inner)
  return `[${'='.repeat(filled)}${filled < inner ? '>' : ''}${' '.repeat(Math.max(inner - filled - 1, 0))}]`
}

/** The end of what is too long. */
export const fit = (name: string, columns: number): string => (name.length <= columns ? name : `...${name.slice(name.length - columns + 3)}`)
