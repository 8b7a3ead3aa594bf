/** The table of answers: what ours and smbd answer to each case, as it was recorded (see record.ts). */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A row of the table. */
export interface Row {
  readonly name: string
  readonly section: string
  readonly ours: string
  /** `-` where it is not asked. */
  readonly smbd: string
}

/** Where the table is. */
export const answersFile: string = join(import.meta.dirname, 'answers.tsv')

const head = ['case', 'section', 'ours', 'smbd']

/** The table by names of cases. */
export function readAnswers(): ReadonlyMap<string, Row> {
  const [first, ...lines] = readFileSync(answersFile, 'utf8').trimEnd().split('\n')
  if (first !== head.join('\t')) throw new Error(`${answersFile} has other columns`)
  return new Map(
    lines.map(line => {
      const [name = '', section = '', ours = '', smbd = ''] = line.split('\t')
      return [name, { name, section, ours, smbd }]
    }),
  )
}

/** The table as text. */
export const answersText = (rows: readonly Row[]): string =>
  [head, ...rows.map(({ name, section, ours, smbd }) => [name, section, ours, smbd])].map(cells => `${cells.join('\t')}\n`).join('')
