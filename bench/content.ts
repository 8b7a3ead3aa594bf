/**
 * `node bench/content.ts`: the files of a share over HTTP and nginx side by side, on the same machine, with the same clients and the same files.
 *
 *     node bench/content.ts [OPTIONS]
 *       --rounds N          rounds of each figure, ours and nginx in turns (default 5)
 *       --seconds N         how long a measurement takes (default 4)
 *       --only REGEX        only figures whose name matches
 *       --json FILE         all values, for scripts
 *       --folder DIR        where the files are (default: in memory, /dev/shm)
 *       --server-cpus LIST --client-cpus LIST       for taskset (default: not pinned)
 *       --workers N         worker nodes of our server (default: its own)
 *       --nginx-workers N   processes of nginx that serve (default 1)
 *       --ours-only         no comparison
 *
 * wrk with one thread; curl for one large file. Figures that end in `.cpu` are what a second of the server's processor time gives, which other load on the machine changes less. Needs wrk, curl, nginx.
 */
import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { mustRun } from '../testing/peers/command.ts'
import { temporaryFolder } from '../testing/peers/folder.ts'
import { startNginx } from '../testing/peers/nginx.ts'
import { missing } from '../testing/peers/packages.ts'
import { readyWords, startServer } from '../testing/peers/server.ts'
import { parseOptions } from '../testing/run/options.ts'
import { compare, tableHead, tableLine } from './compare.ts'
import type { Comparison, Measurement, Side } from './compare.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    folder: { type: 'string' },
    'server-cpus': { type: 'string' },
    'client-cpus': { type: 'string' },
    workers: { type: 'string' },
    'nginx-workers': { type: 'string', default: '1' },
    'ours-only': { type: 'boolean', default: false },
  },
})

const mebibyte = 1 << 20
const gibibyte = 1 << 30

interface Contender {
  readonly side: Side
  readonly origin: string
  readonly pids: readonly number[]
}

const pinned = (cpuList: string | undefined): { cpus?: string } => (cpuList === undefined ? {} : { cpus: cpuList })

async function runClient(...words: readonly string[]): Promise<string> {
  const list = options['client-cpus']
  const [program = '', ...args] = list === undefined ? words : ['taskset', '-c', list, ...words]
  return mustRun(program, args, { timeoutMs: 600_000 })
}

/** Processor time that processes have had, in seconds (proc(5): utime and stime, in ticks of 10 ms). */
const processorSeconds = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return sum + (Number(fields[11]) + Number(fields[12])) / 100
  }, 0)

/** What was done, and in how many seconds. */
interface Run {
  readonly count: number
  readonly seconds: number
}

/** wrk, which ends with an error where a request had failed. */
async function wrk(url: string, connections: number, fields: readonly string[]): Promise<Run> {
  const headers = fields.flatMap(field => ['-H', field])
  const printed = await runClient('wrk', '-t1', `-c${connections}`, `-d${options.seconds}`, ...headers, url)
  const [, count, seconds] = /(\d+) requests in ([\d.]+)s/.exec(printed) ?? []
  if (count === undefined || /Non-2xx|Socket errors/.test(printed)) throw new Error(`wrk printed:\n${printed}`)
  return { count: Number(count), seconds: Number(seconds) }
}

async function curl(url: string): Promise<Run> {
  const printed = await runClient('curl', '--silent', '--fail', '--output', '/dev/null', '--write-out', '%{size_download} %{time_total}', url)
  const [bytes = '', seconds = ''] = printed.split(' ')
  return { count: Number(bytes) / mebibyte, seconds: Number(seconds) }
}

interface Figure {
  readonly name: string
  readonly unit: string
  run(origin: string): Promise<Run>
}

const close = ['Connection: close']
const figures: readonly Figure[] = [
  { name: '1k-keep-alive-c32', unit: 'requests', run: origin => wrk(`${origin}/files/1k`, 32, []) },
  { name: '1k-keep-alive-c256', unit: 'requests', run: origin => wrk(`${origin}/files/1k`, 256, []) },
  { name: '1k-keep-alive-c1', unit: 'requests', run: origin => wrk(`${origin}/files/1k`, 1, []) },
  { name: '1k-new-connections-c32', unit: 'requests', run: origin => wrk(`${origin}/files/1k`, 32, close) },
  { name: '32k-keep-alive-c32', unit: 'requests', run: origin => wrk(`${origin}/files/32k`, 32, []) },
  { name: '1m-keep-alive-c8', unit: 'requests', run: origin => wrk(`${origin}/files/1m`, 8, []) },
  { name: '1g-curl', unit: 'MiB', run: origin => curl(`${origin}/files/1g`) },
]

const measurements = figures.flatMap(({ name, unit, run }): Measurement<Contender>[] => [
  {
    name,
    unit: `${unit}/s`,
    async measure({ origin }) {
      const { count, seconds } = await run(origin)
      return count / seconds
    },
  },
  {
    name: `${name}.cpu`,
    unit: `${unit}/s`,
    async measure({ origin, pids }) {
      const before = processorSeconds(pids)
      const { count } = await run(origin)
      return count / (processorSeconds(pids) - before)
    },
  },
])

const lacking = missing('wrk', 'curl', ...(options['ours-only'] ? [] : (['nginx'] as const)))
if (lacking !== false) {
  console.error(lacking)
  process.exit(2)
}

await using disposables = new AsyncDisposableStack()
const folder = options.folder === undefined ? disposables.use(temporaryFolder('bench', { needBytes: 2 * gibibyte })) : undefined
const root = folder?.path ?? options.folder!
mkdirSync(`${root}/files`, { recursive: true })
for (const [name, bytes] of [
  ['1k', 1024],
  ['32k', 32 * 1024],
  ['1m', mebibyte],
] as const) {
  writeFileSync(`${root}/files/${name}`, randomBytes(bytes))
}
const block = randomBytes(16 * mebibyte)
writeFileSync(`${root}/files/1g`, '')
for (let bytes = 0; bytes < gibibyte; bytes += block.length) appendFileSync(`${root}/files/1g`, block)

const server = disposables.use(
  await startServer({
    shares: { files: `${root}/files,public` },
    extra: ['--content', '127.0.0.1:0'],
    ...pinned(options['server-cpus']),
    ...(options.workers !== undefined && { workers: Number(options.workers) }),
  }),
)
const contenders: Contender[] = [{ side: 'ours', origin: `http://${readyWords(server.ready).get('content')}`, pids: [server.pid] }]
if (!options['ours-only']) {
  const nginx = disposables.use(await startNginx({ root, workers: Number(options['nginx-workers']), ...pinned(options['server-cpus']) }))
  contenders.push({ side: 'peer', origin: `http://${nginx.host}:${nginx.port}`, pids: nginx.pids })
}

console.log(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}; ${options.rounds} rounds, medians`)
const wanted = new RegExp(options.only)
// A server that has been up for a while is measured, not its compiler.
for (const { name, run } of figures) if (wanted.test(name)) for (const { origin } of contenders) await run(origin)
console.log(tableHead('nginx'))
const results: Comparison[] = []
for (const measurement of measurements.filter(({ name }) => wanted.test(name))) {
  const result = await compare(measurement, contenders, Number(options.rounds))
  results.push(result)
  console.log(tableLine(result))
}
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ results }, undefined, 2)}\n`)
