/**
 * `node bench/handoff.ts`: hand-off beside proxies, in one network of namespaces, with the same servers (nginx) and the same client (wrk).
 *
 *     node bench/handoff.ts [OPTIONS]
 *       --rounds N          rounds of each figure, all fronts in turns (default 5)
 *       --seconds N         how long a measurement takes (default 4)
 *       --only REGEX        only figures whose name matches
 *       --fronts REGEX      only fronts whose name matches; `hand-off` is always there
 *       --mode MODE         of the director (default per-request)
 *       --json FILE         all values, for scripts
 *
 * Client, front and both servers share the machine's cores. A front's CPU time is its process's with all threads, and what the kernel counts for BPF programs, which is
 * switched on for the time of the run. Needs root, nginx, haproxy, wrk and iproute2.
 */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { bpfSeconds, countBpfTime } from '../testing/handoff/bpf-time.ts'
import { endpoint } from '../testing/handoff/agents.ts'
import type { Program } from '../testing/handoff/program.ts'
import { startHaproxy, startNodeProxy } from '../testing/handoff/proxies.ts'
import { startScene } from '../testing/handoff/scene.ts'
import { wrk } from '../testing/handoff/wrk.ts'
import { missing } from '../testing/peers/packages.ts'
import { parseOptions } from '../testing/run/options.ts'
import { spreadOf } from './compare.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string', default: '' },
    fronts: { type: 'string', default: '' },
    mode: { type: 'string', default: 'per-request' },
    json: { type: 'string' },
  },
})
const without = missing('root', 'nginx', 'haproxy', 'wrk', 'ip', 'nsenter')
if (without !== false) {
  console.error(without)
  process.exit(2)
}

/** What clients connect to. */
interface Front {
  readonly name: string
  readonly address: string
  /** Does its work; none where clients reach the server directly. */
  readonly program?: Program
  /** Knows requests, and so may choose a server for each. */
  readonly chooses: boolean
}

/** A line of the table. */
interface Figure {
  readonly name: string
  readonly connections: number
  readonly paths: readonly string[]
  readonly headers: readonly string[]
  /** What counts: content, or requests. */
  readonly per: 'GB' | 'request'
}

/** One measurement. */
interface Value {
  readonly rate: number
  /** Seconds of CPU time for a GB, or a request: at the front, and at the agents that belong to it. */
  readonly front: number
  readonly agents: number
}

const keepAlive = { connections: 32, headers: [], per: 'request' } as const
const figures: readonly Figure[] = [
  { name: '100 MiB objects, 4 connections', connections: 4, paths: ['/a/big.bin'], headers: [], per: 'GB' },
  { name: '1 KiB, keep-alive, same owner', paths: ['/a/small.txt'], ...keepAlive },
  { name: '1 KiB, keep-alive, owner changes at random', paths: ['/a/small.txt', '/b/small.txt'], ...keepAlive },
  { name: '1 KiB, new connections', connections: 32, paths: ['/a/small.txt'], headers: ['Connection: close'], per: 'request' },
]

await using scene = await startScene({ director: ['--mode', options.mode], files: ['small.txt', 'big.bin'] })
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void scene[Symbol.asyncDispose]().finally(() => process.exit(130)))
using _counting = countBpfTime()
const { topology, addresses, ground } = scene
const place = { machine: topology.director, folder: ground.folder, addresses }
await using stack = new AsyncDisposableStack()
const started = async (program: Promise<Program>): Promise<Program> => stack.use(await program)
const agents = [scene.part('a'), scene.part('b')]

const fronts: readonly Front[] = [
  { name: 'hand-off', address: endpoint(addresses.vip, 80), program: scene.part('director'), chooses: true },
  {
    name: 'HAProxy http',
    address: endpoint(addresses.director, 8081),
    program: await started(startHaproxy('http', { ...place, port: 8081 })),
    chooses: true,
  },
  {
    name: 'HAProxy tcp, splice',
    address: endpoint(addresses.director, 8082),
    program: await started(startHaproxy('tcp', { ...place, port: 8082 })),
    chooses: false,
  },
  { name: 'Node http', address: endpoint(addresses.director, 8083), program: await started(startNodeProxy({ ...place, port: 8083 })), chooses: true },
  { name: 'no proxy', address: endpoint(addresses.a, 80), chooses: false },
].filter(({ name }) => name === 'hand-off' || new RegExp(options.fronts).test(name))

/** Has each request ask for one of `paths`, at random; the same for every front. */
const scriptOf = (paths: readonly string[]): string => {
  const file = ground.folder.at(`paths-${paths.length}.lua`)
  const requests = paths.map(path => `wrk.format("GET", ${JSON.stringify(path)})`).join(', ')
  writeFileSync(
    file,
    `local requests\ninit = function() requests = { ${requests} } end\nrequest = function() return requests[math.random(#requests)] end\n`,
  )
  return file
}

const cpuSeconds = (programs: readonly (Program | undefined)[]): number =>
  programs.reduce((sum, program) => (program === undefined ? sum : sum + program.cpuSeconds + bpfSeconds(program.pid)), 0)

async function measure({ paths, connections, headers, per }: Figure, { name, address, program }: Front): Promise<Value> {
  const before = [cpuSeconds([program]), cpuSeconds(agents)] as const
  const { requestsPerSecond, bytesPerSecond, requests, bytes, failed, printed } = await wrk(topology.client, {
    url: `http://${address}${paths[0]}`,
    connections,
    headers,
    seconds: Number(options.seconds),
    ...(paths.length > 1 && { script: scriptOf(paths) }),
  })
  if (failed > 0) console.log(`${name}: ${failed} failed\n${printed}`)
  const amount = per === 'GB' ? bytes / 1e9 : requests
  return {
    rate: per === 'GB' ? bytesPerSecond / 1e6 : requestsPerSecond,
    front: (cpuSeconds([program]) - before[0]) / amount,
    agents: (cpuSeconds(agents) - before[1]) / amount,
  }
}

/** All values of one figure, by front: the first that is measured changes with every round. */
async function compareAll(figure: Figure): Promise<ReadonlyMap<Front, readonly Value[]>> {
  const taking = fronts.filter(({ chooses }) => chooses || figure.paths.length === 1)
  const values = new Map<Front, Value[]>(taking.map(front => [front, []]))
  for (let round = 0; round < Number(options.rounds); round++) {
    for (let turn = 0; turn < taking.length; turn++) {
      const front = taking[(round + turn) % taking.length]
      values.get(front)?.push(await measure(figure, front))
    }
  }
  return values
}

const rounded = (value: number, digits: number): string =>
  value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits })

function printTable({ name, per }: Figure, values: ReadonlyMap<Front, readonly Value[]>): void {
  const [unit, cpuUnit, scale] = per === 'GB' ? ['MB/s', 'ms/GB', 1e3] : ['req/s', 'us/request', 1e6]
  const ours = [...values].find(([front]) => front.name === 'hand-off')?.[1] ?? []
  console.log(`\n${name}\n${'front'.padEnd(20)}${unit.padStart(10)}   ratio: min  median   max${`CPU ${cpuUnit}`.padStart(18)}`)
  for (const [front, theirs] of values) {
    const ratio = spreadOf(theirs.map(({ rate }, round) => (ours[round]?.rate ?? Number.NaN) / rate))
    const ratios = theirs === ours ? '' : [ratio.min, ratio.median, ratio.max].map(value => value.toFixed(2).padStart(7)).join(' ')
    const cpu = (of: (value: Value) => number): string => rounded(spreadOf(theirs.map(of)).median * scale, per === 'GB' ? 0 : 1)
    const cpuText =
      front.program === undefined ? '' : theirs === ours ? `${cpu(one => one.front)} + agents ${cpu(one => one.agents)}` : cpu(one => one.front)
    console.log(
      `${front.name.padEnd(20)}${rounded(spreadOf(theirs.map(({ rate }) => rate)).median, 0).padStart(10)}   ${ratios.padEnd(25)}${cpuText.padStart(18)}`,
    )
  }
}

console.log(
  `${options.rounds} rounds of ${options.seconds} s, ${cpus().length} cores, ${cpus()[0]?.model ?? ''}; ratio: hand-off to the front of that line`,
)
const all: object[] = []
for (const figure of figures.filter(({ name }) => new RegExp(options.only).test(name))) {
  const values = await compareAll(figure)
  printTable(figure, values)
  all.push({ figure: figure.name, fronts: [...values].map(([{ name }, list]) => ({ name, values: list })) })
}
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`)
