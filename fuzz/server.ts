/** Fuzzes a whole server: mutated recordings from several peers at once, while a well-behaved one looks in every second. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { mountSmallFilesystem, temporaryFolder } from '../testing/peers/folder.ts'
import { isRoot } from '../testing/peers/packages.ts'
import { alice, startServer } from '../testing/peers/server.ts'
import type { Server } from '../testing/peers/server.ts'
import { encodeRecord, readCorpus } from './capture.ts'
import type { Random } from './random.ts'
import { replayInSession, replayRaw, wild } from './replay.ts'
import { RawSession } from '../testing/peers/raw-session.ts'

/** How long, how hard, and where findings go. */
export interface ServerFuzzOptions {
  readonly seconds: number
  readonly random: Random
  /** Peers that misbehave at the same time. */
  readonly peers?: number
  /** Memory the server may gain after its first ten seconds. */
  readonly growthLimitBytes?: number
  /** Folder for what led to a finding. */
  readonly findings: string
  readonly log: (line: string) => void
}

const mebibyte = 1024 * 1024
const shares = ['share', 'share2'] as const
const shareLimitBytes = 256 * mebibyte
/** Lines in the server's log that no peer may cause. */
export const crashLine = /uncaught|unhandled|AssertionError|TypeError|RangeError|ReferenceError|ERR_INTERNAL|a worker died|out of memory/i
/** Each kind of peer comes from an address of its own: what one does must not be held against another. */
const address = { wellBehaved: '127.0.0.1', misbehaving: '127.0.0.2', stranger: '127.0.0.3' }
const keptFrames = 400

/** Counts of a run, for the summary. */
export interface ServerFuzzResult {
  readonly conversations: number
  readonly messages: number
  readonly opened: number
  readonly checks: number
  readonly residentBytesBefore: number
  readonly residentBytesAfter: number
  /** What went wrong; empty when nothing did. */
  readonly findings: readonly string[]
}

/** Everything a well-behaved peer expects of a live server, within seconds. */
async function lookIn(server: Server): Promise<void> {
  const options = { ...server.smb, ...alice, localAddress: address.wellBehaved, timeoutMs: 10_000 }
  await using session = await RawSession.login(options)
  await session.echo()
  for (const share of shares) await session.connectTree(share)
}

/** Removes what the replays left in the shares: they would drown in their own files. */
function empty(folder: string): void {
  for (const entry of readdirSync(folder)) rmSync(join(folder, entry), { recursive: true, force: true })
}

/** Runs until the time is over or something is found. */
export async function fuzzServer(options: ServerFuzzOptions): Promise<ServerFuzzResult> {
  const { random, log, growthLimitBytes = 256 * mebibyte } = options
  const corpus = readCorpus()
  await using folder = temporaryFolder('fuzz')
  await using disposables = new AsyncDisposableStack()
  for (const share of shares) {
    mkdirSync(folder.at(share))
    // A mutated size may fill any disk.
    if (isRoot()) disposables.use(await mountSmallFilesystem(folder.at(share), shareLimitBytes))
  }
  const server = disposables.use(await startServer({ shares: Object.fromEntries(shares.map(name => [name, folder.at(name)])) }))

  const until = performance.now() + options.seconds * 1000
  const findings: string[] = []
  const recent: Buffer[] = []
  const total = { conversations: 0, messages: 0, opened: 0, checks: 0 }
  const goesOn = (): boolean => findings.length === 0 && performance.now() < until
  const onSend = (frame: Buffer): void => {
    recent.push(encodeRecord({ fromClient: true, connection: 0, frame: Buffer.from(frame) }))
    if (recent.length > keptFrames) recent.shift()
  }

  const misbehave = async (own: Random): Promise<void> => {
    while (goesOn()) {
      const conversation = own.pick(corpus)
      const isStranger = own.chance(0.25)
      const peer = { ...server.smb, ...alice, localAddress: isStranger ? address.stranger : address.misbehaving, random: own, wildness: wild, onSend }
      try {
        const outcome = await (isStranger ? replayRaw(conversation, peer) : replayInSession(conversation, peer))
        total.conversations++
        total.messages += outcome.sent
        total.opened += outcome.opened
      } catch {
        // Refused, or thrown out before the login was through: the peer deserved it. Whether others suffer is checked below.
        await sleep(20)
      }
    }
  }

  let before = server.residentBytes
  const begin = performance.now()
  const watch = async (): Promise<void> => {
    let logged = 0
    for (let second = 1; goesOn(); second++) {
      await sleep(1000)
      if (!server.isRunning) findings.push('the server ended')
      const crash = server.log.slice(logged).match(crashLine)
      if (crash !== null)
        findings.push(
          `the log says: ${
            server.log
              .slice(logged)
              .split('\n')
              .find(line => crashLine.test(line)) ?? ''
          }`,
        )
      logged = server.log.length
      await lookIn(server)
        .then(() => total.checks++)
        .catch((error: unknown) => findings.push(`a well-behaved peer was not served: ${String(error)}`))
      const resident = server.residentBytes
      if (performance.now() - begin < 10_000) before = resident
      else if (resident > before + growthLimitBytes) findings.push(`memory grew from ${before} to ${resident} bytes`)
      if (second % 20 === 0) {
        for (const share of shares) empty(folder.at(share))
        log(`  ${second} s: ${total.conversations} conversations, ${total.messages} messages, ${Math.round(resident / mebibyte)} MiB resident`)
      }
    }
  }

  await Promise.all([watch(), ...Array.from({ length: options.peers ?? 4 }, async () => misbehave(random.fork()))])
  if (findings.length > 0) {
    mkdirSync(options.findings, { recursive: true })
    writeFileSync(join(options.findings, 'last-messages.bin'), Buffer.concat(recent))
    writeFileSync(join(options.findings, 'server.log'), server.log)
  }
  return { ...total, residentBytesBefore: before, residentBytesAfter: server.residentBytes, findings }
}
