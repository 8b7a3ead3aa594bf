/** What protocols measure with, beside `Counters`. Apart, so that it brings nothing else along. */

/** Buckets for what takes between a memory access and a timeout, in seconds. */
export const durationBounds: readonly number[] = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1, 10]

/** Gives a metric's label at most `namesMax` values: the first that it is asked for, as they are, and `other` for all that come later. */
export function boundedLabel(namesMax: number): (name: string) => string {
  const known = new Set<string>()
  return name => {
    if (known.size < namesMax) known.add(name)
    return known.has(name) ? name : 'other'
  }
}
