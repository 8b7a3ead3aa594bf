/**
 * `node bench/management.ts`: how long the receipt of a request takes while operations run, and what idle event streams cost.
 *
 *     node bench/management.ts [OPTIONS]
 *       --only receipts|streams
 *       --operations N      that run meanwhile (default 500)
 *       --requests N        whose receipts are timed, one after the other, each on a connection of its own (default 1000)
 *       --streams N         idle event streams, each of a session of its own (default 10000)
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, EventReader, login } from '../testing/peers/management-client.ts'
import { startServer } from '../testing/peers/server.ts'
import type { Server } from '../testing/peers/server.ts'
import { parseOptions } from '../testing/run/options.ts'
import { root } from '../testing/run/root.ts'

const { values } = parseOptions(import.meta.url, {
  options: {
    only: { type: 'string', default: '' },
    operations: { type: 'string', default: '500' },
    requests: { type: 'string', default: '1000' },
    streams: { type: 'string', default: '10000' },
  },
})
const admin = { user: 'alice', password: 'Correct-Horse-1' }
const mebibyte = 2 ** 20

/** Does it for each, so many at once. */
async function each<T>(items: readonly T[], width: number, action: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of queue) await action(item)
    }),
  )
}
const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

const start = (token: string, { http }: Server, name: string, ms: number) =>
  ask(http, { method: 'POST', path: '/v1/volumes', token, body: { name, options: [`ms=${ms}`] } })

/** The node only seems to do what it is asked for: what is timed is the API, not disks. */
async function receipts(operations: number, requests: number): Promise<void> {
  const limits = JSON.stringify({ running: operations, unfinished: operations + requests, requestsPerSession: 100_000, requestsPerAddress: 100_000 })
  const entry = join(root, 'testing/peers/management-node.ts')
  await using server = await startServer({ shares: {}, accounts: [], workers: 2, entry, extra: ['--limits', limits] })
  const token = await login(server.http, admin.user, admin.password)
  // Its events are read, as those of a console are.
  await using reader = new EventReader(server.http, { token })
  await each(numbers(operations), 8, async n => void (await start(token, server, `busy${n}`, 600_000)))
  const running = (): number => new Set(reader.events.filter(({ data }) => data['state'] === 'running').map(({ data }) => data['operation'])).size
  while (running() < operations) await sleep(50)
  const times: number[] = []
  const eventsBefore = reader.events.length
  const begin = performance.now()
  for (const n of numbers(requests)) {
    const from = performance.now()
    const { status } = await start(token, server, `disk${n}`, 0)
    times.push(performance.now() - from)
    if (status !== 202) throw new Error(`answered ${status}`)
  }
  const seconds = (performance.now() - begin) / 1000
  times.sort((a, b) => a - b)
  const at = (share: number): string => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(2)
  const perSecond = ((reader.events.length - eventsBefore) / seconds).toFixed(0)
  console.log(
    `receipt while ${running()} operations run (${perSecond} events/s on the stream): median ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms, of ${requests}`,
  )
}

const residentOf = (pid: number): number => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024

/** The product, with the store that it has. */
async function streams(count: number): Promise<void> {
  const limits = ['connections=16384', 'connectionsPerAddress=16384', 'apiSessionsPerUser=20000', 'apiRequestsPerAddress=100000']
  const extra = ['--admin', `${admin.user}:${admin.password}`, ...limits.flatMap(limit => ['--limit', limit])]
  await using server = await startServer({ shares: {}, accounts: [], workers: 2, extra })
  const before = residentOf(server.pid)
  const readers: EventReader[] = []
  const begin = performance.now()
  await each(numbers(count), 16, async () => {
    const token = await login(server.http, admin.user, admin.password)
    const reader = new EventReader(server.http, { token })
    await reader.until(({ head }) => head !== '')
    readers.push(reader)
  })
  const seconds = ((performance.now() - begin) / 1000).toFixed(0)
  const opened = residentOf(server.pid)
  // Two heartbeats.
  await sleep(35_000)
  const open = readers.filter(({ ended }) => !ended).length
  console.log(
    `${open} of ${count} event streams open after ${seconds} s of logins: ${before.toFixed(0)} MiB before, ${opened.toFixed(0)} MiB then, ${residentOf(server.pid).toFixed(0)} MiB 35 s later; the client ${(process.memoryUsage.rss() / mebibyte).toFixed(0)} MiB`,
  )
  for (const reader of readers) reader.close()
}

if (values.only !== 'streams') await receipts(Number(values.operations), Number(values.requests))
if (values.only !== 'receipts') await streams(Number(values.streams))
