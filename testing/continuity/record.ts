/**
 * Asks ours and smbd all cases anew and writes answers.tsv.
 *
 *     node testing/continuity/record.ts [--unresolved] [PATTERN]
 *
 * With a pattern it asks only the cases that have it in their names, with --unresolved those that no test runs; it writes nothing then.
 * Prints the cases whose answers are not what they are to be.
 */
import { writeFileSync } from 'node:fs'
import { missing } from '../peers/packages.ts'
import { parseOptions } from '../run/options.ts'
import { answersFile, answersText } from './answers.ts'
import { unfold } from './case.ts'
import type { Asked } from './case.ts'
import { cases, failoverCases, unresolvedCases } from './cases/index.ts'
import { ask } from './scene.ts'
import { startOurs, startTheirs } from './target.ts'
import { askTogether } from './together.ts'

const { values, positionals } = parseOptions(import.meta.url, {
  allowPositionals: true,
  options: { unresolved: { type: 'boolean', default: false } },
})
const [pattern = ''] = positionals
const isChosen = ({ name }: Asked): boolean => name.includes(pattern)
const lacking = missing('smbd', 'smbpasswd', 'smbclient', 'samba-vfs-modules', 'root')
if (lacking !== false) throw new Error(lacking)
await using ours = await startOurs()
await using theirs = await startTheirs()

const failed = (error: unknown): string => `FAILED: ${error instanceof Error ? error.message : String(error)}`
const common = unfold(values.unresolved ? unresolvedCases : cases).filter(isChosen)
const failovers = values.unresolved ? [] : unfold(failoverCases).filter(isChosen)

const rows = []
for (const { one, share, name } of common) {
  const isAskedOfBoth = share === 'plain' && one.oursOnly === undefined
  const answer = await ask(one, share, ours).catch(failed)
  rows.push({ one, name, section: one.section, ours: answer, smbd: isAskedOfBoth ? await ask(one, share, theirs).catch(failed) : '-' })
}
const answers = askTogether(failovers, ours)
for (const { one, name } of failovers) {
  rows.push({ one, name, section: one.section, ours: await answers.get(name)!.catch(failed), smbd: '-' })
}
for (const { one, name, ours: answer, smbd } of rows) {
  const isExpected = answer === one.expect && (smbd === '-' || (smbd === one.expect) === (one.samba === undefined))
  if (!isExpected) console.log(`${name}\n    expected ${one.expect}\n    ours     ${answer}\n    smbd     ${smbd}`)
}
console.log(`${rows.length} cases`)
if (pattern === '' && !values.unresolved) writeFileSync(answersFile, answersText(rows))
