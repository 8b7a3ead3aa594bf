/** Fuzzes the iSCSI target of a whole server: initiators that send what they like, while a well-behaved one looks in every second. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { temporaryFolder } from '../testing/peers/folder.ts'
import { startServer } from '../testing/peers/server.ts'
import type { Server } from '../testing/peers/server.ts'
import { IscsiPeer } from './iscsi-peer.ts'
import { Random } from './random.ts'
import type { ServerFuzzOptions, ServerFuzzResult } from './server.ts'
import { crashLine } from './server.ts'

const mebibyte = 1 << 20
const volume = 'fuzz'
const target = `iqn.2026-11.io.holdfast:${volume}`
const keptPdus = 400
const steps = 40

/** Logs in, within seconds. */
async function lookIn(server: Server): Promise<void> {
  const quiet = new Random(1)
  await using peer = await IscsiPeer.connect({ ...server.iscsi, localAddress: '127.0.0.1', random: quiet, onSend: () => undefined })
  if (!(await peer.login(target, false))) throw new Error('no login')
}

/** Runs until the time is over or something is found. */
export async function fuzzIscsi(options: ServerFuzzOptions): Promise<ServerFuzzResult> {
  const { random, log, growthLimitBytes = 256 * mebibyte } = options
  await using folder = temporaryFolder('fuzz-iscsi')
  await using server = await startServer({
    shares: {},
    state: folder.at('state'),
    extra: ['--volume', `${volume}=64MiB,no-auth`, '--iscsi', '127.0.0.1:0'],
  })
  const until = performance.now() + options.seconds * 1000
  const findings: string[] = []
  const recent: Buffer[] = []
  const total = { conversations: 0, messages: 0, opened: 0, checks: 0 }
  const goesOn = (): boolean => findings.length === 0 && performance.now() < until
  const onSend = (pdu: Buffer): void => {
    recent.push(Buffer.from(pdu))
    if (recent.length > keptPdus) recent.shift()
  }

  const misbehave = async (own: Random): Promise<void> => {
    while (goesOn()) {
      try {
        await using peer = await IscsiPeer.connect({ ...server.iscsi, localAddress: '127.0.0.2', random: own, onSend })
        const isIn = await peer.login(target, own.chance(0.3))
        if (isIn) total.opened++
        for (let step = own.below(steps); isIn && step > 0 && goesOn() && !peer.socket.destroyed; step--) await peer.act()
        total.conversations++
        total.messages += peer.sent
      } catch {
        // Refused: the peer deserved it. Whether others suffer is checked below.
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
      const crash = server.log
        .slice(logged)
        .split('\n')
        .find(line => crashLine.test(line))
      if (crash !== undefined) findings.push(`the log says: ${crash}`)
      logged = server.log.length
      await lookIn(server)
        .then(() => total.checks++)
        .catch((error: unknown) => findings.push(`a well-behaved peer was not served: ${String(error)}`))
      const resident = server.residentBytes
      if (performance.now() - begin < 10_000) before = resident
      else if (resident > before + growthLimitBytes) findings.push(`memory grew from ${before} to ${resident} bytes`)
      if (second % 20 === 0)
        log(`  ${second} s: ${total.conversations} conversations, ${total.messages} PDUs, ${Math.round(resident / mebibyte)} MiB resident`)
    }
  }

  await Promise.all([watch(), ...Array.from({ length: options.peers ?? 4 }, async () => misbehave(random.fork()))])
  if (findings.length > 0) {
    mkdirSync(options.findings, { recursive: true })
    writeFileSync(join(options.findings, 'last-pdus.bin'), Buffer.concat(recent))
    writeFileSync(join(options.findings, 'server.log'), server.log)
  }
  return { ...total, residentBytesBefore: before, residentBytesAfter: server.residentBytes, findings }
}
