/** Sizes and durations as people write them. */

const binary = { '': 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40, PiB: 2 ** 50 } as const
const decimal = { kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, PB: 1e15 } as const
const sizeUnits: Readonly<Record<string, number>> = { ...binary, ...decimal }
const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

export const sizeAllowed = 'a size such as 512, 64KiB, 1.5GiB or 10GB'
export const sizePattern = /^(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB|TiB|PiB|kB|KB|MB|GB|TB|PB)?$/
export const durationAllowed = 'a duration such as 250ms, 30s, 5m, 2h or 1d'
export const durationPattern = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)$/

/** `1GiB` -> 1073741824; undefined for what is no size (or no whole number of bytes up to 2^53). */
export function parseSize(text: string | number): number | undefined {
  const match = sizePattern.exec(String(text))
  const bytes = match === null ? NaN : Math.round(Number(match[1]) * sizeUnits[match[2] ?? ''])
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** `30s` -> 30000 milliseconds; undefined for what is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = durationPattern.exec(text)
  const ms = match === null ? NaN : Math.round(Number(match[1]) * durationUnits[match[2]])
  return Number.isSafeInteger(ms) ? ms : undefined
}

/** 1536 -> `1.5 KiB`: at most four digits, for people. */
export function formatSize(bytes: number): string {
  const units = Object.keys(binary).slice(1)
  let unit = 0
  let value = bytes
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${value.toFixed(digits)} ${units[unit]}`
}

/** 10737418240 -> `10GiB`: as it can be read again, without loss. */
export function exactSize(bytes: number): string {
  const [unit, size] = Object.entries(binary).findLast(([, size]) => bytes % size === 0 && bytes >= size) ?? ['', 1]
  return `${bytes / size}${unit}`
}

/** 3725000 -> `1:02:05`, 65000 -> `1:05`: hours only where there are some. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const two = (n: number) => String(n).padStart(2, '0')
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}
