/**
 * `npm run fuzz`: throws mutated and random input at the decoders, at a whole server over SMB and over iSCSI, and at both ends of the hand-off protocol.
 *
 *     npm run fuzz [-- OPTIONS]
 *       --seconds N         for each target (default 60)
 *       --seed S            repeats a run (default: from the clock, printed)
 *       --target NAME       decoders, server, iscsi or handoff (default: all)
 *       --only REGEX        only decoders whose name matches
 *       --findings DIR      where inputs that led to a finding go (default: a folder beside the system's temporary files)
 *
 * Exit status: 0 nothing found, 1 something was, 2 wrong usage.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseOptions } from '../testing/run/options.ts'
import { fuzzDecoders } from './decoders.ts'
import { fuzzHandoff } from './handoff.ts'
import { fuzzIscsi } from './iscsi.ts'
import { Random } from './random.ts'
import { fuzzServer } from './server.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() & 0x7fffffff) },
    target: { type: 'string' },
    only: { type: 'string' },
    findings: { type: 'string', default: join(tmpdir(), 'holdfast-fuzz') },
  },
})
const targets = ['decoders', 'server', 'iscsi', 'handoff']
if (options.target !== undefined && !targets.includes(options.target)) {
  console.error(`--target is one of ${targets.join(', ')}, not ${options.target}`)
  process.exit(2)
}
const seconds = Number(options.seconds)
const random = new Random(Number(options.seed))
const wants = (target: string): boolean => options.target === undefined || options.target === target
const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`
const findings: string[] = []

console.log(`seed ${options.seed}, ${seconds} s for each target`)
if (wants('decoders')) {
  const only = options.only === undefined ? {} : { only: new RegExp(options.only) }
  const result = await fuzzDecoders({ seconds, random: random.fork(), findings: options.findings, ...only })
  console.log(`decoders: ${result.targets} decoders, ${result.inputs} inputs, ${result.accepted} accepted, ${result.findings.length} findings`)
  findings.push(...result.findings)
}
if (wants('server')) {
  const result = await fuzzServer({ seconds, random: random.fork(), findings: options.findings, log: line => console.log(line) })
  console.log(
    `server: ${result.conversations} conversations, ${result.messages} messages, ${result.opened} opens, ${result.checks} checks passed, ` +
      `resident ${mebibytes(result.residentBytesBefore)} -> ${mebibytes(result.residentBytesAfter)}, ${result.findings.length} findings`,
  )
  findings.push(...result.findings)
}
if (wants('iscsi')) {
  const result = await fuzzIscsi({ seconds, random: random.fork(), findings: options.findings, log: line => console.log(line) })
  console.log(
    `iscsi: ${result.conversations} conversations, ${result.messages} PDUs, ${result.opened} logins, ${result.checks} checks passed, ` +
      `resident ${mebibytes(result.residentBytesBefore)} -> ${mebibytes(result.residentBytesAfter)}, ${result.findings.length} findings`,
  )
  findings.push(...result.findings)
}
if (wants('handoff')) {
  const result = fuzzHandoff({ seconds, random: random.fork(), findings: options.findings, log: line => console.log(line) })
  console.log(
    `handoff: ${result.datagrams} datagrams, ${result.taken} taken, ${result.checks} checks passed, ` +
      `resident ${mebibytes(result.residentBytesBefore)} -> ${mebibytes(result.residentBytesAfter)}, ${result.findings.length} findings`,
  )
  findings.push(...result.findings)
}
for (const finding of findings) console.log(`FOUND ${finding}`)
process.exitCode = findings.length > 0 ? 1 : 0
