/**
 * `npm run test:handoff`: mixed load through a director, for a while.
 *
 *     npm run test:handoff -- [--minutes N] [--connections N] [--family ipv4|ipv6] [--topology link|routed] [--mode MODE]
 *
 * wrk with connections that stay and change owners, wrk with new connections from few ports, downloads and uploads that are compared, clients that go away in the
 * middle. Everything must be answered, and right; nothing may be left in the maps 5 s after the end; memory may not grow (in five minutes and more). Exit status 1 when something of this is not so.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { endpoint } from './handoff/agents.ts'
import { describeLeft } from './handoff/left.ts'
import { skip } from './handoff/prerequisites.ts'
import { get, post } from './handoff/requests.ts'
import { startScene } from './handoff/scene.ts'
import { oneLink, routed } from './handoff/topologies.ts'
import { wrk } from './handoff/wrk.ts'
import type { WrkResult } from './handoff/wrk.ts'
import { missing } from './peers/packages.ts'
import { parseOptions } from './run/options.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    minutes: { type: 'string', default: '10' },
    connections: { type: 'string', default: '2000' },
    family: { type: 'string', default: 'ipv4' },
    topology: { type: 'string', default: 'link' },
    mode: { type: 'string', default: 'per-request' },
  },
})
const absent = skip === false ? missing('wrk') : skip
if (absent !== false) {
  console.error(absent)
  process.exit(2)
}

const mebibyte = 1 << 20
const seconds = Math.round(Number(options.minutes) * 60)
const connections = Number(options.connections)
/** A process settles before its memory is taken as what it needs. */
const settledAfter = 0.25
const growthMax = { factor: 1.25, bytes: 16 * mebibyte }
/** In less time than this heaps have not got to their size. */
const growthJudgedAfterSeconds = 300
const leftAfterMs = 5000

await using scene = await startScene({
  family: options.family === 'ipv6' ? 'ipv6' : 'ipv4',
  topology: options.topology === 'routed' ? routed : oneLink,
  director: ['--mode', options.mode],
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void scene[Symbol.asyncDispose]().finally(() => process.exit(130)))
const { topology, content, ground } = scene
const base = `http://${endpoint(scene.addresses.vip, 80)}`
const until = performance.now() + seconds * 1000
const isOver = (): boolean => performance.now() >= until
const failures: string[] = []
const done: Record<string, number> = {}
const count = (what: string): void => void (done[what] = (done[what] ?? 0) + 1)

// Few ports, so that they come again while what they were used for is hardly over.
await topology.client.set({ 'net.ipv4.ip_local_port_range': `20000 ${20_000 + Math.max(4 * connections, 4000)}` })

const script = ground.folder.at('mixed.lua')
writeFileSync(
  script,
  `local paths = { "/a/small.txt", "/a/small.txt", "/a/small.txt", "/b/small.txt", "/b/small.txt" }
local requests
init = function()
  requests = {}
  for i = 1, #paths do requests[i] = wrk.format("GET", paths[i]) end
end
request = function() return requests[math.random(#requests)] end
`,
)

/** Files as they are, by curl, one after the other. */
async function downloads(): Promise<void> {
  const paths = Object.keys(content.sha256).filter(path => !path.includes('small'))
  while (!isOver()) {
    const path = paths[randomInt(paths.length)] ?? ''
    const hash = await scene.sha256(path).catch((error: unknown) => String(error))
    if (hash !== content.sha256[path]) failures.push(`download of ${path}: ${hash}`)
    count('downloads')
  }
}

async function uploads(): Promise<void> {
  while (!isOver()) {
    const bytes = randomBytes(randomInt(3 * mebibyte))
    const file = ground.folder.at('upload')
    writeFileSync(file, bytes)
    const chunked = randomInt(2) === 0 ? ['-H', 'Transfer-Encoding: chunked'] : []
    const answer = await scene.curl('-T', file, ...chunked, `${base}/upload`).catch((error: unknown) => String(error))
    if (!answer.startsWith(createHash('sha256').update(bytes).digest('hex'))) failures.push(`upload of ${bytes.length} bytes: ${answer}`)
    count('uploads')
  }
}

/** Clients that go: before the head is there, in the middle of an upload, while the response comes. */
const unfinished = [
  [{ send: 'GET /a/sm' }],
  [{ send: post('/upload', 100_000), zeros: 50_000 }],
  [{ send: get('/slow/a/big.bin'), waitMs: 30 }],
  [
    { send: get('/b/small.txt'), responses: 1 },
    { send: get('/slow/a/big.bin'), waitMs: 30 },
  ],
  [{ send: get('/a/small.txt') }],
] as const

async function abortions(): Promise<void> {
  while (!isOver()) {
    const steps = unfinished[randomInt(unfinished.length)] ?? []
    await scene.converse({ steps: [...steps, { end: randomInt(2) === 0 ? 'reset' : 'fin' }] })
    count('aborted')
  }
}

/** Both owners in turns, on one connection, with content that is compared. */
async function conversations(): Promise<void> {
  while (!isOver()) {
    const paths = Array.from({ length: 20 }, () => (randomInt(2) === 0 ? '/a/middle.bin' : '/b/small.txt'))
    const { heard, ended } = await scene.converse({ steps: paths.map((path, i) => ({ send: get(path), responses: i + 1 })), timeoutMs: 60_000 })
    const wrong = paths.findIndex((path, i) => heard[i]?.sha256 !== content.sha256[path])
    if (wrong >= 0)
      failures.push(`conversation: ${heard.length} of 20 heard, ${ended}; number ${wrong + 1}, ${paths[wrong]}: ${JSON.stringify(heard[wrong])}`)
    count('conversations')
  }
}

async function load(name: string, share: number, headers: readonly string[]): Promise<void> {
  const result: WrkResult = await wrk(topology.client, { url: `${base}/`, script, headers, seconds, connections: Math.round(connections * share) })
  done[name] = result.requests
  if (result.failed > 0) failures.push(`${name}: ${result.failed} failed\n${result.printed}`)
}

const parts = ['director', 'a', 'b'] as const
const resident: { readonly at: number; readonly bytes: readonly number[] }[] = []
async function watch(): Promise<void> {
  while (!isOver()) {
    resident.push({ at: performance.now(), bytes: parts.map(part => scene.part(part).residentBytes) })
    await sleep(Math.max(0, Math.min(5000, until - performance.now())))
  }
}

const begin = performance.now()
await Promise.all([
  load('requests on connections that stay', 0.8, []),
  load('requests on new connections', 0.18, ['Connection: close']),
  ...Array.from({ length: 2 }, downloads),
  uploads(),
  ...Array.from({ length: 4 }, abortions),
  ...Array.from({ length: 2 }, conversations),
  watch(),
])
await sleep(leftAfterMs)

const [director, a, b] = [await scene.status('director'), await scene.status('agent-a'), await scene.status('agent-b')]
const left = [director.metrics['entries'] ?? 0, a.connections ?? 0, b.connections ?? 0]
if (left.some(entries => entries > 0)) {
  const entries = await describeLeft(scene)
  failures.push(`entries are left ${leftAfterMs / 1000} s after the end: ${left.join(', ')}\n  ${entries.join('\n  ')}`)
}

const settled = resident.find(({ at }) => at >= begin + settledAfter * seconds * 1000) ?? resident[0]
const last = resident.at(-1)
for (const [i, part] of parts.entries()) {
  const [early, late] = [settled?.bytes[i] ?? 0, last?.bytes[i] ?? 0]
  const series = resident.filter((_, at) => at % Math.ceil(resident.length / 12) === 0).map(({ bytes }) => ((bytes[i] ?? 0) / mebibyte).toFixed(0))
  console.log(`${part.padEnd(10)} resident ${(early / mebibyte).toFixed(0)} -> ${(late / mebibyte).toFixed(0)} MiB   (${series.join(' ')})`)
  if (seconds >= growthJudgedAfterSeconds && late > early * growthMax.factor + growthMax.bytes)
    failures.push(`${part} has grown from ${early} to ${late} bytes`)
}
for (const [what, number] of Object.entries(done)) console.log(`${String(number).padStart(10)} ${what}`)
console.log(JSON.stringify(director.metrics))
for (const failure of failures.slice(0, 50)) console.log(`FAILED ${failure}`)
console.log(failures.length === 0 ? `ok, ${seconds} s at ${connections} connections` : `${failures.length} failures`)
process.exitCode = failures.length === 0 ? 0 : 1
