/**
 * Asks ours and smbd all cases anew and writes answers.tsv.
 *
 *     node testing/continuity/record.ts [--unresolved] [PATTERN]
 *
 * With a pattern it asks only the cases that have it in their names, with --unresolved those that no test runs; it writes nothing then.
 * Prints the cases whose answers are not what they are to be.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { missing } from '../peers/packages.ts'
import { answersFile, answersText } from './answers.ts'
import type { Row } from './answers.ts'
import { unfold } from './case.ts'
import type { Case, ShareKind } from './case.ts'
import { cases, failoverCases, unresolvedCases } from './cases/index.ts'
import { ask } from './scene.ts'
import { startOurs, startTheirs } from './target.ts'
import type { Target } from './target.ts'

const answerOf = async (one: Case, share: ShareKind, target: Target | undefined): Promise<string> =>
  target === undefined ? '-' : ask(one, share, target).catch((error: unknown) => `FAILED: ${error instanceof Error ? error.message : String(error)}`)

const { values, positionals } = parseArgs({ allowPositionals: true, options: { unresolved: { type: 'boolean', default: false } } })
const [pattern = ''] = positionals
const chosen = values.unresolved ? unresolvedCases : [...cases, ...failoverCases]
const lacking = missing('smbd', 'smbpasswd', 'smbclient', 'samba-vfs-modules', 'root')
if (lacking !== false) throw new Error(lacking)
await using ours = await startOurs()
await using theirs = await startTheirs()
const rows: Row[] = []
for (const { one, share, name } of unfold(chosen).filter(each => each.name.includes(pattern))) {
  const isAskedOfBoth = share === 'plain' && one.oursOnly === undefined
  const row = {
    name,
    section: one.section,
    ours: await answerOf(one, share, ours),
    smbd: await answerOf(one, share, isAskedOfBoth ? theirs : undefined),
  }
  rows.push(row)
  const isExpected = row.ours === one.expect && (row.smbd === '-' || (row.smbd === one.expect) === (one.samba === undefined))
  if (!isExpected) console.log(`${name}\n    expected ${one.expect}\n    ours     ${row.ours}\n    smbd     ${row.smbd}`)
}
console.log(`${rows.length} cases`)
if (pattern === '' && !values.unresolved) writeFileSync(answersFile, answersText(rows))
