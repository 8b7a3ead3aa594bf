/** What the death of workers costs initiators: load from ours and from libiscsi (QEMU's), while workers are ended one after the other. */
import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectDisk } from '@holdfast/iscsi/initiator'
import type { Interruption, IscsiDisk } from '@holdfast/iscsi/initiator'
import { temporaryFolder } from '../peers/folder.ts'
import { startServer } from '../peers/server.ts'
import type { Server } from '../peers/server.ts'

const targetOf = (volume: string): string => `iqn.2026-11.io.holdfast:${volume}`
const MiB = 2 ** 20
const block = 512
/** Their names are spread over both workers. */
const volumes = ['disk0', 'disk1', 'disk2', 'disk3'] as const
const patienceMs = 120_000
const pieceBytes = 64 << 10
const pieces = 32

/** What a run has seen. */
export interface DeathFigures {
  readonly deaths: number
  /** TCP connections that came while workers died: each is one that was lost before. */
  readonly connectionsMade: number
  readonly interruptions: readonly Interruption[]
  readonly transfers: number
  readonly mismatches: number
  readonly comparisons: number
  /** COMPARE AND WRITEs that nobody knows the outcome of, which their initiator was told. */
  readonly unknown: number
  /** Reservations without APTPL were what they had been, after all deaths. */
  readonly hasReservation: boolean
  readonly qemuCommands: number
  readonly qemuComplaints: readonly string[]
  /** Commands by what became of them when their worker died. */
  readonly orphaned: Readonly<Record<string, number>>
  readonly resumed: number
}

/** What is on /metrics, by name and labels. */
async function metricsOf({ http }: Server): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://${http.host}:${http.port}/metrics`)).text()
  return new Map([...text.matchAll(/^(\w+(?:\{[^}]*\})?) (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]))
}

/** QEMU's block layer in a process of its own, which is given commands one after the other. */
class QemuIo implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  #output = ''
  commands = 0

  constructor(url: string) {
    this.#child = spawn('qemu-io', ['-f', 'raw', '-t', 'none', url], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stdin.on('error', () => undefined)
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => void (this.#output += text))
  }

  get complaints(): readonly string[] {
    return this.#output.split('\n').filter(line => /error|fail|reconnect/i.test(line))
  }

  /** Resolves when the command has said what it did. */
  async run(command: string): Promise<void> {
    const done = /(?:read|wrote|discard) \d+\/\d+ bytes|rror|ailed/g
    const before = this.#output.match(done)?.length ?? 0
    this.#child.stdin.write(`${command}\n`)
    while ((this.#output.match(done)?.length ?? 0) === before) {
      const { exitCode, signalCode } = this.#child
      if (exitCode !== null || signalCode !== null) throw new Error(`qemu-io ended with ${exitCode ?? signalCode}: ${this.#output.slice(-500)}`)
      await sleep(2)
    }
    this.commands++
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null || signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.stdin.end('quit\n')
    await ended
  }
}

const reserveOut = (action: number, type: number): Buffer => Buffer.from([0x5f, action, type, 0, 0, 0, 0, 0, 24, 0])
const reserveIn = (action: number): Buffer => Buffer.from([0x5e, action, 0, 0, 0, 0, 0, 0, 32, 0])
const registrationKey = 0x1234n

function parameters(reservationKey: bigint, serviceActionKey: bigint): Buffer {
  const list = Buffer.alloc(24)
  list.writeBigUInt64BE(reservationKey, 0)
  list.writeBigUInt64BE(serviceActionKey, 8)
  return list
}

/** Registers, and reserves for registrants only; without APTPL. */
async function reserve(disk: IscsiDisk): Promise<void> {
  await disk.execute(reserveOut(0, 0), { dataOut: parameters(0n, registrationKey) })
  await disk.execute(reserveOut(1, 5), { dataOut: parameters(registrationKey, 0n) })
}

async function isReserved(disk: IscsiDisk): Promise<boolean> {
  const { data } = await disk.execute(reserveIn(1), { dataInBytes: 32 })
  return data.readUInt32BE(4) === 16 && data.readBigUInt64BE(8) === registrationKey
}

/** Ends so many workers under load. */
export async function endWorkers({ deaths, log = () => undefined }: { deaths: number; log?: (line: string) => void }): Promise<DeathFigures> {
  await using folder = temporaryFolder('worker-deaths', { needBytes: 512 * MiB })
  await using server = await startServer({
    shares: {},
    state: folder.at('state'),
    workers: 2,
    extra: [...volumes.flatMap(name => ['--volume', `${name}=64MiB,no-auth`]), '--iscsi', '127.0.0.1:0', '--metrics', 'open'],
    env: { HOLDFAST_CHAOS: '1' },
  })
  const interruptions: Interruption[] = []
  const count = { deaths: 0, transfers: 0, mismatches: 0, comparisons: 0, unknown: 0 }
  let hasFailed = false
  const goesOn = (): boolean => count.deaths < deaths && server.isRunning && !hasFailed
  // On a machine with much else to do a worker takes its time to come back: that is not what is looked at.
  const connect = (volume: string): Promise<IscsiDisk> =>
    connectDisk({ ...server.iscsi, target: targetOf(volume), timeoutMs: patienceMs, onInterruption: event => void interruptions.push(event) })
  const metric = async (name: string): Promise<number> => (await metricsOf(server)).get(name) ?? 0

  /** What each of the loads has done. */
  const steps = [0, 0, 0, 0, 0]

  const transfer = async (disk: IscsiDisk, index: number): Promise<void> => {
    for (let round = 1; goesOn(); round++) {
      const contents = Array.from({ length: pieces }, (_, index) => Buffer.alloc(pieceBytes, (round * 31 + index * 7) & 0xff))
      await Promise.all(contents.map((content, index) => disk.write(index * pieceBytes, content)))
      const read = await Promise.all(contents.map((_, index) => disk.read(index * pieceBytes, pieceBytes)))
      for (const [index, content] of contents.entries()) if (!read[index].equals(content)) count.mismatches++
      count.transfers += 2 * pieces
      steps[index]++
    }
  }

  /** Counts in one block: each step is done once, or not at all. */
  const compare = async (disk: IscsiDisk, index: number): Promise<void> => {
    const at = 32 * MiB
    const blockOf = (value: number): Buffer => Buffer.from(Uint32Array.from({ length: block / 4 }, () => value).buffer)
    for (let value = 0; goesOn(); count.comparisons++) {
      const isKnown = await disk.compareAndWrite(at, blockOf(value), blockOf(value + 1)).then(
        () => true,
        (error: { readonly code?: string }) => {
          if (error.code !== 'ABORTED_COMMAND') throw error
          return false
        },
      )
      const now = (await disk.read(at, block)).readUInt32LE()
      const isRight = isKnown ? now === value + 1 : now === value || now === value + 1
      if (!isRight) count.mismatches++
      if (!isKnown) count.unknown++
      value = now
      steps[index]++
    }
  }

  const useQemu = async (qemu: QemuIo, index: number): Promise<void> => {
    for (let round = 1; goesOn(); round++) {
      const pattern = round & 0xff
      for (const offset of ['0', '1M', '2M']) await qemu.run(`write -P ${pattern} ${offset} 256k`)
      for (const offset of ['0', '1M', '2M']) await qemu.run(`read -P ${pattern} ${offset} 256k`)
      steps[index]++
    }
  }

  const everybodyGoesOn = async (): Promise<void> => {
    const before = [...steps]
    while (goesOn() && steps.some((step, index) => step === before[index])) await sleep(10)
  }

  const kill = async (): Promise<void> => {
    for (; goesOn(); count.deaths++) {
      const before = await metric('holdfast_worker_deaths_total')
      server.signal('SIGUSR2')
      while (server.isRunning && (await metric('holdfast_worker_deaths_total')) === before) await sleep(20)
      // The next one dies while sessions come back, or when all of them go on: initiators lose their patience with a disk that stays away.
      if (count.deaths % 5 < 4) await everybodyGoesOn()
      await sleep(50 * (count.deaths % 7))
      if (count.deaths % 10 === 9) log(`${count.deaths + 1} deaths, ${count.transfers} transfers, ${interruptions.length} interruptions`)
    }
  }

  await using first = await connect('disk0')
  await using second = await connect('disk1')
  await using third = await connect('disk2')
  await reserve(third)
  let qemu: QemuIo | undefined
  try {
    qemu = new QemuIo(`iscsi://${server.iscsi.host}:${server.iscsi.port}/${targetOf('disk3')}/0`)
    await qemu.run('read 0 512')
    const accepted = 'holdfast_connections_accepted_total{protocol="iscsi"}'
    const before = await metric(accepted)
    const load = [transfer(first, 0), transfer(second, 1), transfer(third, 2), compare(first, 3), useQemu(qemu, 4), kill()]
    await Promise.all(load).finally(() => (hasFailed = true))
    const metrics = await metricsOf(server)
    return {
      ...count,
      connectionsMade: (metrics.get(accepted) ?? 0) - before,
      interruptions,
      hasReservation: await isReserved(third),
      qemuCommands: qemu.commands,
      qemuComplaints: qemu.complaints,
      orphaned: Object.fromEntries(
        ['repeated', 'busy', 'aborted'].map(outcome => [outcome, metrics.get(`holdfast_iscsi_orphaned_commands_total{outcome="${outcome}"}`) ?? 0]),
      ),
      resumed: metrics.get('holdfast_iscsi_connections_resumed_total') ?? 0,
    }
  } finally {
    await qemu?.[Symbol.asyncDispose]()
  }
}
