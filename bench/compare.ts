import type { Contender, Figure } from './figures.ts'

/** All values of one figure. */
export interface Comparison {
  readonly figure: string
  readonly unit: string
  readonly ours: readonly number[]
  /** Empty when ours was measured alone. */
  readonly smbd: readonly number[]
  /** ours/smbd within each round. */
  readonly ratios: readonly number[]
}

/** Minimum, median and maximum. */
export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

/** The spread of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? Number.NaN
  const middle = (sorted.length - 1) / 2
  return { min: at(0), median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, max: at(sorted.length - 1) }
}

/**
 * Measures a figure round by round, in turns: the one that comes first changes with every round, so that what the machine does
 * meanwhile falls on both.
 */
export async function compare(figure: Figure, contenders: readonly Contender[], rounds: number): Promise<Comparison> {
  const values: { ours: number[]; smbd: number[] } = { ours: [], smbd: [] }
  for (let round = 0; round < rounds; round++) {
    const turns = round % 2 === 0 ? contenders : contenders.toReversed()
    for (const contender of turns) values[contender.name].push(await figure.measure(contender))
  }
  const ratios = values.smbd.map((theirs, round) => (values.ours[round] ?? Number.NaN) / theirs)
  return { figure: figure.name, unit: figure.unit, ...values, ratios }
}

const column = (text: string, width: number): string => text.padStart(width)

/** The table's head. */
export const tableHead: string = [
  'figure'.padEnd(16),
  'unit'.padEnd(10),
  column('ours', 9),
  column('smbd', 9),
  '   ours/smbd: min  median     max',
].join(' ')

/** One line of the table. */
export function tableLine({ figure, unit, ours, smbd, ratios }: Comparison): string {
  const round = (value: number): string => (value >= 1000 ? value.toFixed(0) : value.toFixed(1))
  const ratio = spreadOf(ratios)
  const shown =
    ratios.length === 0 ? '' : [column(ratio.min.toFixed(2), 17), column(ratio.median.toFixed(2), 7), column(ratio.max.toFixed(2), 7)].join(' ')
  const theirs = smbd.length === 0 ? '-' : round(spreadOf(smbd).median)
  return [figure.padEnd(16), unit.padEnd(10), column(round(spreadOf(ours).median), 9), column(theirs, 9), shown].join(' ')
}
