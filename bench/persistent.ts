/**
 * `node bench/persistent.ts`: what persistent handles cost: a CREATE with its CLOSE on a share that is continuously available, against a plain one
 * on a plain share; and how soon many of them are back after the server was killed.
 *
 *     node bench/persistent.ts [OPTIONS]
 *       --folder PATH       where files and state are; repeatable (default: /dev/shm, and the system's folder for temporary files)
 *       --seconds N         of each figure (default 3)
 *       --rounds N          of the comparison, persistent and plain by turns (default 5)
 *       --opens N           that are held when the server is killed (default 10,000; 0: leaves that out)
 *       --clients N         that hold them (default 20)
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SmbClient } from '@holdfast/smb/client'
import type { SmbFile, SmbShare } from '@holdfast/smb/client'
import { Phoenix, plainShareName, shareName } from '../testing/crash/phoenix.ts'
import { startRelay } from '../testing/crash/relay.ts'
import { alice, productMain } from '../testing/peers/server.ts'
import type { Endpoint } from '../testing/peers/server.ts'
import { parseOptions } from '../testing/run/options.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    folder: { type: 'string', multiple: true, default: ['/dev/shm', tmpdir()] },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    opens: { type: 'string', default: '10000' },
    clients: { type: 'string', default: '20' },
  },
})
const inFlight = [1, 8, 64]
const reconnectMs = 120_000
const mebibyte = 1024 * 1024

/** A figure of several rounds. */
class Spread {
  readonly #values: readonly number[]

  constructor(values: readonly number[]) {
    this.#values = values.toSorted((a, b) => a - b)
  }

  get median(): number {
    return this.#values[(this.#values.length - 1) >> 1] ?? 0
  }

  text(digits: number): string {
    return [this.#values[0] ?? 0, this.median, this.#values.at(-1) ?? 0].map(value => value.toFixed(digits).padStart(7)).join(' ')
  }
}

async function connect(endpoint: Endpoint, more: { readonly reconnectMs: number; readonly onInterruption?: (event: { kind: string }) => void }) {
  return SmbClient.connect({ ...endpoint, ...alice, timeoutMs: 60_000, ...more })
}

const fileOf = (flight: number): string => `file-${flight}`

/** Opens and closes for some seconds, so many at a time; resolves with the mean duration of a pair as a caller sees it, in ms. */
async function pairMs(share: SmbShare, flights: number, expected: string): Promise<number> {
  const begin = performance.now()
  const end = begin + Number(options.seconds) * 1000
  let pairs = 0
  const fly = async (_: unknown, flight: number): Promise<void> => {
    while (performance.now() < end) {
      const file = await share.open(fileOf(flight), { flags: 'r+' })
      if (file.durability !== expected) throw new Error(`${fileOf(flight)} is ${file.durability}, not ${expected}`)
      await file.close()
      pairs++
    }
  }
  await Promise.all(Array.from({ length: flights }, fly))
  return ((performance.now() - begin) * flights) / pairs
}

async function comparePairs(phoenix: Phoenix): Promise<void> {
  await using lasting = await connect(phoenix.smb, { reconnectMs })
  await using brief = await connect(phoenix.smb, { reconnectMs: 0 })
  await using persistent = await lasting.share(shareName)
  await using plain = await brief.share(plainShareName)
  console.log(`${'CREATE and CLOSE'.padEnd(20)}persistent, ms (min, median, max)      plain, ms                ratio`)
  for (const flights of inFlight) {
    const rounds = { persistent: [] as number[], plain: [] as number[], ratio: [] as number[] }
    for (let round = 0; round < Number(options.rounds); round++) {
      const [one, other] = [await pairMs(persistent, flights, 'persistent'), await pairMs(plain, flights, 'none')]
      rounds.persistent.push(one)
      rounds.plain.push(other)
      rounds.ratio.push(one / other)
    }
    const [a, b, c] = [new Spread(rounds.persistent), new Spread(rounds.plain), new Spread(rounds.ratio)]
    console.log(`${`${flights} in flight`.padEnd(20)}${a.text(2)}        ${b.text(2)}    ${c.text(2)}`)
  }
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

function storeSize(phoenix: Phoenix): string {
  const path = join(phoenix.folders.state, 'store.sqlite')
  const [file, log] = [sizeOf(path), sizeOf(`${path}-wal`)].map(bytes => (bytes / mebibyte).toFixed(2))
  return `${file} MiB, write-ahead log ${log} MiB`
}

/** Clients that hold files open, and hear when they have all of them again. */
class Holder implements AsyncDisposable {
  readonly #client: SmbClient
  readonly #share: SmbShare
  readonly files: SmbFile[] = []
  /** The time (of `performance`) when all are there again. */
  readonly restored: Promise<number>

  private constructor(client: SmbClient, share: SmbShare, restored: Promise<number>) {
    this.#client = client
    this.#share = share
    this.restored = restored
  }

  static async hold(endpoint: Endpoint, names: readonly string[]): Promise<Holder> {
    const restored = Promise.withResolvers<number>()
    // It is asked for later.
    restored.promise.catch(() => undefined)
    const onInterruption = ({ kind }: { kind: string }): void => {
      if (kind === 'restored') restored.resolve(performance.now())
      if (kind === 'given-up') restored.reject(new Error('a client has given up'))
    }
    const client = await connect(endpoint, { reconnectMs, onInterruption })
    const holder = new Holder(client, await client.share(shareName), restored.promise)
    holder.files.push(...(await Promise.all(names.map(name => holder.open(name)))))
    return holder
  }

  async open(name: string): Promise<SmbFile> {
    const file = await this.#share.open(name, { flags: 'w' })
    if (file.durability !== 'persistent') throw new Error(`${name} is ${file.durability}`)
    return file
  }

  /** Every file is there, and can be written. */
  async write(): Promise<void> {
    await Promise.all(this.files.map(file => file.write(Buffer.from('back'), 0)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.files.map(file => file.close()))
    await this.#client.close()
  }
}

async function recovery(phoenix: Phoenix): Promise<void> {
  await using relay = await startRelay(phoenix.smb)
  await using other = await startRelay(phoenix.smb)
  await using all = new AsyncDisposableStack()
  const [opens, clients] = [Number(options.opens), Number(options.clients)]
  const holders: Holder[] = []
  const beganMs = performance.now()
  for (let client = 0; client < clients; client++) {
    const names = Array.from({ length: Math.ceil(opens / clients) }, (_, index) => `held-${client}-${index}`)
    holders.push(all.use(await Holder.hold(relay.endpoint, names)))
  }
  const one = all.use(await Holder.hold(other.endpoint, ['held-alone']))
  const count = holders.reduce((sum, { files }) => sum + files.length, 1)
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
  console.log(`${count} persistent opens of ${clients + 1} clients, made in ${seconds(performance.now() - beganMs)}; store: ${storeSize(phoenix)}`)
  const server = await phoenix.running()
  // It comes before the crowd, which keeps two cores busy.
  relay.hold(true)
  phoenix.kill()
  await server.ended
  const startMs = performance.now()
  await phoenix.running()
  console.log(`killed; started again: ready after ${seconds(performance.now() - startMs)}`)
  console.log(`one open is had again after ${seconds((await one.restored) - startMs)}`)
  relay.hold(false)
  const last = await Promise.all(holders.map(({ restored }) => restored))
  console.log(`all are had again after ${seconds(Math.max(...last) - startMs)}; store: ${storeSize(phoenix)}`)
  await Promise.all([...holders, one].map(holder => holder.write()))
  await all.disposeAsync()
  console.log(`all are written to and closed; store: ${storeSize(phoenix)}`)
}

for (const parent of options.folder) {
  const folder = mkdtempSync(join(parent, 'holdfast-persistent-'))
  try {
    await using phoenix = await Phoenix.start({ folder, server: { entry: productMain } })
    console.log(parent)
    for (const share of [phoenix.folders.docs, phoenix.folders.plain]) {
      for (let flight = 0; flight < Math.max(...inFlight); flight++) writeFileSync(join(share, fileOf(flight)), '')
    }
    if (Number(options.seconds) > 0) await comparePairs(phoenix)
    if (Number(options.opens) > 0) await recovery(phoenix)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
