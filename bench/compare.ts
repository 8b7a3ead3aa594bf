/** Who is measured: our server, or the peer beside it. */
export type Side = 'ours' | 'peer'

/** A line of a table: measured on one server at a time, more is better. */
export interface Measurement<Contender> {
  readonly name: string
  readonly unit: string
  measure(contender: Contender): Promise<number>
}

/** All values of one figure. */
export interface Comparison {
  readonly figure: string
  readonly unit: string
  readonly ours: readonly number[]
  /** Empty when ours was measured alone. */
  readonly peer: readonly number[]
  /** ours/peer within each round. */
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
export async function compare<Contender extends { readonly side: Side }>(
  figure: Measurement<Contender>,
  contenders: readonly Contender[],
  rounds: number,
): Promise<Comparison> {
  const values: Record<Side, number[]> = { ours: [], peer: [] }
  for (let round = 0; round < rounds; round++) {
    const turns = round % 2 === 0 ? contenders : contenders.toReversed()
    for (const contender of turns) values[contender.side].push(await figure.measure(contender))
  }
  const ratios = values.peer.map((theirs, round) => (values.ours[round] ?? Number.NaN) / theirs)
  return { figure: figure.name, unit: figure.unit, ...values, ratios }
}

const column = (text: string, width: number): string => text.padStart(width)

/** The table's head. */
export const tableHead = (peer: string): string =>
  ['figure'.padEnd(33), 'unit'.padEnd(10), column('ours', 9), column(peer, 9), `   ours/${peer}: min  median     max`].join(' ')

/** One line of the table. */
export function tableLine({ figure, unit, ours, peer, ratios }: Comparison): string {
  const round = (value: number): string => (value >= 1000 ? value.toFixed(0) : value.toFixed(1))
  const ratio = spreadOf(ratios)
  const shown =
    ratios.length === 0 ? '' : [column(ratio.min.toFixed(2), 17), column(ratio.median.toFixed(2), 7), column(ratio.max.toFixed(2), 7)].join(' ')
  const theirs = peer.length === 0 ? '-' : round(spreadOf(peer).median)
  return [figure.padEnd(33), unit.padEnd(10), column(round(spreadOf(ours).median), 9), column(theirs, 9), shown].join(' ')
}
