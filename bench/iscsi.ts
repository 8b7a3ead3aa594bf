/**
 * `node bench/iscsi.ts`: our iSCSI target and tgt side by side, on the same machine, with the same initiators.
 *
 *     node bench/iscsi.ts [OPTIONS]
 *       --rounds N          rounds of each figure, ours and tgt in turns (default 5)
 *       --seconds N         how long a measurement takes, roughly (default 3)
 *       --only REGEX        only figures whose name matches
 *       --json FILE         all values, for scripts
 *       --folder DIR        where both keep their disks (default: in memory, /dev/shm)
 *       --server-cpus LIST --client-cpus LIST       for taskset (default 0 and 1; `-`: not pinned)
 *       --workers N         worker nodes of our server (default: its own)
 *       --ours-only         no comparison
 *
 * Volumes of 1 GiB, thin, written once before. QEMU's initiator (libiscsi) through `qemu-img bench`, and ours for digests of data; needs qemu-utils, qemu-block-extra; for the comparison tgt and root.
 */
import { rmSync, truncateSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { mustRun } from '../testing/peers/command.ts'
import { temporaryFolder } from '../testing/peers/folder.ts'
import { missing } from '../testing/peers/packages.ts'
import { startServer } from '../testing/peers/server.ts'
import { startTgt } from '../testing/peers/tgt.ts'
import { parseOptions } from '../testing/run/options.ts'
import { compare, tableHead, tableLine } from './compare.ts'
import type { Comparison, Measurement, Side } from './compare.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    folder: { type: 'string' },
    'server-cpus': { type: 'string', default: '0' },
    'client-cpus': { type: 'string', default: '1' },
    workers: { type: 'string' },
    'ours-only': { type: 'boolean', default: false },
  },
})

const mebibyte = 1 << 20
const volumeBytes = 1 << 30
/** A step that visits blocks in no order that a cache could guess: odd, so that it comes to all of them. */
const strideBlocks = 104_729

interface Contender {
  readonly side: Side
  readonly portal: string
  readonly target: string
  readonly lun: number
}

interface Pattern {
  readonly name: string
  readonly isWrite: boolean
  readonly depth: number
  readonly blockBytes: number
  readonly isRandom: boolean
  readonly digest: Digest
}

/** What is protected by CRC32C. libiscsi has no digests of data: with `data` our own initiator is the client of both. */
type Digest = 'none' | 'header' | 'data'

const digests: readonly Digest[] = ['none', 'header', 'data']
const patterns: readonly Pattern[] = digests.flatMap(digest =>
  [
    { name: 'read-4k-random-qd1', isWrite: false, depth: 1, blockBytes: 4096, isRandom: true },
    { name: 'write-4k-random-qd1', isWrite: true, depth: 1, blockBytes: 4096, isRandom: true },
    { name: 'read-4k-random-qd32', isWrite: false, depth: 32, blockBytes: 4096, isRandom: true },
    { name: 'write-4k-random-qd32', isWrite: true, depth: 32, blockBytes: 4096, isRandom: true },
    { name: 'read-64k-seq-qd32', isWrite: false, depth: 32, blockBytes: 65_536, isRandom: false },
    { name: 'write-64k-seq-qd32', isWrite: true, depth: 32, blockBytes: 65_536, isRandom: false },
  ].map(pattern => ({ ...pattern, digest, name: digest === 'none' ? pattern.name : `${pattern.name}.${digest}-digest` })),
)

const pinned = (cpuList: string | undefined): { cpus?: string } => (cpuList === undefined || cpuList === '-' ? {} : { cpus: cpuList })

async function runClient(...words: readonly string[]): Promise<string> {
  const { cpus: list } = pinned(options['client-cpus'])
  const [program, ...args] = list === undefined ? words : ['taskset', '-c', list, ...words]
  return mustRun(program, args, { timeoutMs: 600_000 })
}

const imageOf = ({ portal, target, lun }: Contender, digest: Digest): string => {
  const file = { driver: 'iscsi', transport: 'tcp', portal, target, lun, 'header-digest': digest === 'none' ? 'none' : 'crc32c' }
  return `json:${JSON.stringify({ driver: 'raw', file })}`
}

/** Runs a pattern for `count` requests; seconds. */
async function runPattern(contender: Contender, pattern: Pattern, count: number): Promise<number> {
  return pattern.digest === 'data' ? runOurs(contender, pattern, count) : runQemu(contender, pattern, count)
}

const stepOf = (pattern: Pattern): number => (pattern.isRandom ? strideBlocks * pattern.blockBytes : pattern.blockBytes)

async function runOurs({ portal, target, lun }: Contender, pattern: Pattern, count: number): Promise<number> {
  const [host, port] = portal.split(':')
  const { isWrite, depth, blockBytes } = pattern
  const task = { host, port: Number(port), target, lun, isWrite, depth, blockBytes, stepBytes: stepOf(pattern), count }
  return Number(await runClient(process.execPath, new URL('iscsi-client.ts', import.meta.url).pathname, JSON.stringify(task)))
}

async function runQemu(contender: Contender, pattern: Pattern, count: number): Promise<number> {
  const printed = await runClient(
    'qemu-img',
    'bench',
    ...(pattern.isWrite ? ['-w', '--pattern=90'] : []),
    '-t',
    'none',
    '-c',
    String(count),
    '-d',
    String(pattern.depth),
    '-s',
    String(pattern.blockBytes),
    '-S',
    String(stepOf(pattern)),
    imageOf(contender, pattern.digest),
  )
  const [, seconds] = /Run completed in ([\d.]+) seconds/.exec(printed) ?? []
  if (seconds === undefined) throw new Error(`qemu-img bench printed: ${printed}`)
  return Number(seconds)
}

/** Requests that take about as long as was asked for. */
const counts = new Map<string, number>()

/** Found by a short run, after another one: a server that has been up for a while is measured, not its compiler. */
async function countFor(contender: Contender, pattern: Pattern): Promise<number> {
  const probe = pattern.blockBytes > 4096 ? 20_000 : 8000 * Math.min(4, pattern.depth)
  await runPattern(contender, pattern, probe)
  return Math.round((probe / (await runPattern(contender, pattern, probe))) * Number(options.seconds))
}

const measurements = patterns
  .filter(({ name }) => new RegExp(options.only).test(name))
  .map((pattern): Measurement<Contender> => {
    const isLarge = pattern.blockBytes > 4096
    return {
      name: pattern.name,
      unit: isLarge ? 'MiB/s' : 'requests/s',
      async measure(contender) {
        const key = `${contender.side} ${pattern.name}`
        const count = counts.get(key) ?? (await countFor(contender, pattern))
        counts.set(key, count)
        const perSecond = count / (await runPattern(contender, pattern, count))
        return isLarge ? (perSecond * pattern.blockBytes) / mebibyte : perSecond
      },
    }
  })

const lacking = missing('qemu-img', 'qemu-block-extra', ...(options['ours-only'] ? [] : (['tgtd', 'root'] as const)))
if (lacking !== false) {
  console.error(lacking)
  process.exit(2)
}

await using disposables = new AsyncDisposableStack()
const folder = options.folder === undefined ? disposables.use(temporaryFolder('bench', { needBytes: 3 * volumeBytes })) : undefined
const at = (name: string): string => (folder === undefined ? `${options.folder}/${name}` : folder.at(name))
const server = disposables.use(
  await startServer({
    shares: {},
    state: at('state'),
    extra: ['--volume', `bench=${volumeBytes},no-auth`, '--iscsi', '127.0.0.1:0'],
    ...pinned(options['server-cpus']),
    ...(options.workers !== undefined && { workers: Number(options.workers) }),
  }),
)
const contenders: Contender[] = [
  { side: 'ours', portal: `${server.iscsi.host}:${server.iscsi.port}`, target: 'iqn.2026-11.io.holdfast:bench', lun: 0 },
]
if (!options['ours-only']) {
  writeFileSync(at('tgt-disk'), '')
  truncateSync(at('tgt-disk'), volumeBytes)
  disposables.defer(() => rmSync(at('tgt-disk'), { force: true }))
  const tgt = disposables.use(await startTgt({ file: at('tgt-disk'), ...pinned(options['server-cpus']) }))
  contenders.push({ side: 'peer', portal: `${tgt.host}:${tgt.port}`, target: tgt.target, lun: tgt.lun })
}

console.log(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}; ${options.rounds} rounds, medians`)
// What was never written is not read from anywhere.
for (const contender of contenders) {
  await runPattern(
    contender,
    { name: 'fill', isWrite: true, depth: 8, blockBytes: mebibyte, isRandom: false, digest: 'none' },
    volumeBytes / mebibyte,
  )
}
console.log(tableHead('tgt'))
const results: Comparison[] = []
for (const measurement of measurements) {
  const result = await compare(measurement, contenders, Number(options.rounds))
  results.push(result)
  console.log(tableLine(result))
}
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ volumeBytes, results }, undefined, 2)}\n`)
