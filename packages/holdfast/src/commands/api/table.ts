/** What people read: columns, lines of key and value, colours on a terminal. */

import { printable } from '../context.ts'

/** Words for `styleText`-like marks, as terminals know them (ECMA-48 8.3.117, SGR). */
const colours = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const
export type Colour = keyof typeof colours

/** A text and its colour, where it has one. */
export type Cell = string | { readonly text: string; readonly colour: Colour }

const textOf = (cell: Cell): string => printable(typeof cell === 'string' ? cell : cell.text)

/** A cell as it is written; what it says is clean, so that no name can colour the terminal. */
function paint(cell: Cell, shown: string, isColoured: boolean): string {
  return isColoured && typeof cell !== 'string' && shown !== '' ? `\u001b[${colours[cell.colour]}m${shown}\u001b[0m` : shown
}

export interface TableOptions {
  readonly colours?: boolean
  /** Columns whose cells end at the same place. */
  readonly right?: readonly number[]
}

/** Columns as wide as what is in them, two blanks apart; the last one as it is. */
export function table(rows: readonly (readonly Cell[])[], { colours = false, right = [] }: TableOptions = {}): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => textOf(row[column] ?? '').length)))
  const line = (row: readonly Cell[]): string =>
    row
      .map((cell, column) => {
        const text = textOf(cell)
        const blanks = ' '.repeat(Math.max((widths[column] ?? 0) - text.length, 0))
        const painted = paint(cell, text, colours)
        return right.includes(column) ? `${blanks}${painted}` : `${painted}${blanks}`
      })
      .join('  ')
      .trimEnd()
  return rows.map(row => `${line(row)}\n`).join('')
}

/** `key        value`, the values below each other. */
export function lines(pairs: readonly (readonly [key: string, value: Cell])[], { colours = false }: TableOptions = {}): string {
  const width = Math.max(10, ...pairs.map(([key]) => key.length))
  return pairs.map(([key, value]) => `${key.padEnd(width)} ${paint(value, textOf(value), colours)}`.trimEnd()).join('\n')
}

/** `2026-11-21 03:00:07`, UTC. */
export const timeText = (iso: string): string => iso.slice(0, 19).replace('T', ' ')
