/** How far an operation is: a bar on a terminal, a line now and then elsewhere. */

import type { OperationNews } from '@holdfast/api-client'
import { formatDuration } from '../../config/units.ts'
import { bar, fit } from '../../remote/progress.ts'
import { printable } from '../context.ts'
import { nameOfTarget } from './views.ts'

/** Told what happens; shows it until it is disposed of. */
export interface OperationDisplay extends Disposable {
  update(news: OperationNews): void
  connection(isAway: boolean): void
  /** Makes room for a question; `resume` shows again. */
  pause(): void
  resume(): void
}

export interface DisplayOptions {
  readonly write: (text: string) => void
  /** Undefined where there is no terminal. */
  readonly columns: (() => number) | undefined
  /** Milliseconds; monotonic. */
  readonly clock?: () => number
}

const redrawMs = 1000
/** Elsewhere than on a terminal: what is done sooner says nothing, and there is no more than a line in so long. */
const lineMs = 2000
const waiting = 'the node is away; waiting for it'
const clear = '\r\u001b[K'

/** On stderr: the result alone goes to stdout. */
export const operationDisplay = (options: DisplayOptions): OperationDisplay =>
  options.columns === undefined ? plainDisplay(options) : barDisplay({ ...options, columns: options.columns })

function barDisplay({ write, columns, clock = () => performance.now() }: DisplayOptions & { readonly columns: () => number }): OperationDisplay {
  const beganMs = clock()
  let news: OperationNews | undefined
  let isAway = false
  let isPaused = false
  const draw = (): void => {
    if (news === undefined || isPaused) return
    write(`${clear}${progressLine(news, { columns: columns(), elapsedMs: clock() - beganMs, ...(isAway && { instead: waiting }) })}`)
  }
  const timer = setInterval(draw, redrawMs)
  return {
    update(next) {
      news = next
      draw()
    },
    connection(now) {
      isAway = now
      draw()
    },
    pause() {
      isPaused = true
      write(clear)
    },
    resume() {
      isPaused = false
      draw()
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      write(clear)
    },
  }
}

function plainDisplay({ write, clock = () => performance.now() }: DisplayOptions): OperationDisplay {
  let saidMs = clock()
  let percent = 0
  return {
    update(news) {
      const now = clock()
      if (now - saidMs < lineMs || Math.floor(news.percent) <= percent) return
      saidMs = now
      percent = Math.floor(news.percent)
      write(`${nameOfTarget(news.target)}: ${percent}%${news.note === undefined ? '' : ` ${printable(news.note)}`}\n`)
    },
    connection(isAway) {
      if (isAway) write(`${waiting}\n`)
    },
    pause() {},
    resume() {},
    [Symbol.dispose]() {},
  }
}

interface LineOptions {
  readonly columns: number
  readonly elapsedMs: number
  /** In place of what it is at. */
  readonly instead?: string
}

/** `disk1  42% [=======>          ] copying the image  0:05` */
export function progressLine({ target, percent, state, note }: OperationNews, { columns, elapsedMs, instead }: LineOptions): string {
  const what = instead ?? (state === 'running' ? (note ?? '') : state)
  const end = `${what === '' ? '' : `${printable(what)}  `}${formatDuration(elapsedMs)}`
  const number = `${String(Math.floor(percent)).padStart(3)}%`
  const room = columns - 1 - number.length - end.length - 3
  const name = printable(nameOfTarget(target))
  if (room < 12) return `${fit(name, Math.max(4, columns - 7))} ${number}`.slice(0, Math.max(columns - 1, 0))
  const barColumns = Math.max(6, Math.min(40, Math.floor(room / 2)))
  return `${fit(name, room - barColumns)} ${number} ${bar(percent / 100, barColumns)} ${end}`
}
