/** Figures and times as people read them. */

const sizeUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Three digits that say something: 1.25, 12.5, 125. */
export function figure(value: number): string {
  const digits = value === 0 || Number.isInteger(value) || Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2
  return value.toLocaleString('en', { minimumFractionDigits: 0, maximumFractionDigits: digits })
}

/** `10 GiB`, `1.5 TiB`, `512 B`. */
export function size(bytes: number): string {
  const power = Math.min(sizeUnits.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10))
  return `${figure(bytes / 2 ** (10 * power))} ${sizeUnits[power]}`
}

/** `12.5 MiB/s`. */
export const rate = (bytesPerSecond: number): string => `${size(bytesPerSecond)}/s`

/** `1.2 ms`, `850 µs`. */
export const latency = (ms: number): string =>
  ms < 1 ? `${figure(Math.round(ms * 1000))} µs` : ms < 1000 ? `${figure(ms)} ms` : `${figure(ms / 1000)} s`

/** `12,345`. */
export const count = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 0 })

/** `43 %`; 100 only for all of it, 0 only for nothing. */
export function percent(share: number): string {
  const whole = Math.round(share * 100)
  if (whole === 0 && share > 0) return '< 1 %'
  if (whole === 100 && share < 1) return '99 %'
  return `${whole} %`
}

const spans = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const

/** The two largest units: `3 d 4 h`, `5 min 12 s`, `0 s`. */
export function duration(ms: number): string {
  let seconds = Math.max(0, Math.floor(ms / 1000))
  const words: string[] = []
  for (const [unit, length] of spans) {
    const many = Math.floor(seconds / length)
    seconds -= many * length
    if (many > 0) words.push(`${many} ${unit}`)
    else if (words.length > 0) break
    if (words.length === 2) break
  }
  return words.length === 0 ? '0 s' : words.join(' ')
}

/** How long ago: `just now`, `5 min ago`, `3 d ago`. */
export function ago(iso: string, nowMs: number): string {
  const ms = nowMs - Date.parse(iso)
  if (ms < 5000) return 'just now'
  return `${duration(ms).split(' ').slice(0, 2).join(' ')} ago`
}

const two = (value: number): string => String(value).padStart(2, '0')

/** `14:03:07`, local time. */
export function clock(iso: string | number): string {
  const date = new Date(iso)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** `2026-11-21 14:03:07`, local time. */
export function dateTime(iso: string | number): string {
  const date = new Date(iso)
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(iso)}`
}
