import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { describe, test } from 'node:test'
import { TCX_NEXT, TC_ACT_REDIRECT, TC_ACT_SHOT } from '@holdfast/posix/bpf'
import type { BpfProgram } from '@holdfast/posix/bpf'
import { parseAddress } from '@holdfast/posix/network'
import { wrap } from '../../transform/encapsulation.ts'
import { Protocol, familyOf } from '../../transform/families.ts'
import type { Family } from '../../transform/families.ts'
import { answer, follow } from '../../transform/opening.ts'
import { TcpAt, TcpFlag, newTcpPacket, readTcpPacket, writeKeyOf } from '../../transform/packet.ts'
import { DirectorAction, DirectorEntry, FlowKey, OpeningEntry, replacedFlag } from '../entries.ts'
import { programsUnavailable } from '../test-support/availability.ts'
import { Laboratory, run } from '../test-support/laboratory.ts'
import { damages, ipPacket, layouts, randomAddress, randomOptions } from '../test-support/packets.ts'
import { Random } from '../test-support/random.ts'
import { directorProgram } from './director.ts'

const skip = programsUnavailable()
const [raisePort, mss, rounds] = [7002, 1357, 10_000]
/** The kernel tries programs on whole frames only. */
const damageNames = Object.keys(damages).filter(name => name !== 'cut off')
const decidingFlags = TcpFlag.syn | TcpFlag.ack | TcpFlag.rst | TcpFlag.fin
const hosts = ['127.0.0.1', '::1']

const key = Buffer.alloc(FlowKey.fixedSize)
const value = Buffer.alloc(OpeningEntry.fixedSize)
const headers = newTcpPacket()
const [on, off] = [Buffer.from([1, 0, 0, 0]), Buffer.alloc(4)]

/** The program, and a listener that it is to answer for. */
interface Bench extends AsyncDisposable {
  readonly laboratory: Laboratory
  readonly program: BpfProgram
  readonly family: Family
  readonly vip: Buffer
  readonly vipPort: number
  readonly server: Server
}

async function startBench(host: string): Promise<Bench> {
  const accepted: Socket[] = []
  const server = createServer(socket => void accepted.push(socket.resume())).listen(0, host)
  await once(server, 'listening')
  const vipPort = (server.address() as AddressInfo).port
  const vip = parseAddress(host)
  const laboratory = new Laboratory(DirectorEntry.fixedSize)
  laboratory.settings.update(off, on)
  const program = laboratory.load(directorProgram({ vip, vipPort, raisePort, linkBytes: 14, synAckMss: mss }))
  return {
    laboratory,
    program,
    family: familyOf(vip),
    vip,
    vipPort,
    server,
    async [Symbol.asyncDispose]() {
      laboratory[Symbol.dispose]()
      for (const socket of accepted) socket.destroy()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}

/** lo has no link address, and what is for it has none either. */
const clientLink = Buffer.from('020000000002', 'hex')
const frameOf = (packet: Buffer, { etherType }: Family, [to, from] = [Buffer.alloc(6), clientLink]): Buffer =>
  Buffer.concat([to, from, Buffer.of(etherType >>> 8, etherType & 0xff), packet])

interface Outcome {
  readonly returned: number
  readonly frame: Buffer
  readonly opening: OpeningEntry | undefined
}

/** What comes of a packet, and the opening of its connection afterwards. */
function send({ program, laboratory, family }: Bench, packet: Buffer, frame = frameOf(packet, family)): Outcome {
  const outcome = run(program, frame)
  if (readTcpPacket(packet, 0, packet.length, headers)) writeKeyOf(packet, headers, key)
  return { ...outcome, opening: laboratory.openings.lookup(key, value) === 0 ? OpeningEntry.decode(value) : undefined }
}

/** The opening is as the oracle says, and so is every byte of the frame that goes back. */
function assertAnswered({ family }: Bench, packet: Buffer, { returned, frame, opening }: Outcome, message = ''): OpeningEntry {
  assert.ok(opening !== undefined, message)
  const expected = answer(packet, { ...opening, nowNs: opening.lastNs, mss })
  assert.ok(expected !== undefined, message)
  assert.equal(returned, TC_ACT_REDIRECT, message)
  assert.deepEqual(opening, expected.opening, message)
  const back = frameOf(expected.synAck, family, [clientLink, Buffer.alloc(6)])
  if (!frame.equals(back)) assert.equal(frame.toString('hex'), back.toString('hex'), message)
  return opening
}

const assertPassed = (packet: Buffer, { returned, frame, opening }: Outcome, message = ''): void => {
  assert.equal(returned, TCX_NEXT, message)
  assert.deepEqual(frame.subarray(14), packet, message)
  assert.equal(opening, undefined, message)
}

/** What a segment of a test is: the rest is of no importance. */
interface Wanted {
  readonly flags: number
  readonly sequence?: number
  readonly acknowledgement?: number
  readonly options?: Buffer
  readonly payload?: Buffer
}

/** A client of the VIP, with an address and a port of its own. */
class Client {
  readonly #bench: Bench
  readonly #random: Random
  readonly #address: Buffer
  readonly port: number

  constructor(bench: Bench, random: Random, address = randomAddress(random, bench.family), port = 1 + random.below(0xffff)) {
    this.#bench = bench
    this.#random = random
    this.#address = address
    this.port = port
  }

  packet({ flags, sequence = 0, acknowledgement = 0, options = Buffer.alloc(0), payload = Buffer.alloc(0) }: Wanted): Buffer {
    const { family, vip: destination, vipPort } = this.#bench
    const body = Buffer.concat([this.#random.bytes(20), options, payload])
    body.writeUInt16BE(this.port, TcpAt.sourcePort)
    body.writeUInt16BE(vipPort, TcpAt.destinationPort)
    body.writeUInt32BE(sequence, TcpAt.sequence)
    body.writeUInt32BE(acknowledgement, TcpAt.acknowledgement)
    body[TcpAt.dataOffset] = ((20 + options.length) / 4) << 4
    body[TcpAt.flags] = flags
    return ipPacket(this.#random, { family, protocol: Protocol.tcp, body, checksumAt: 16, source: this.#address, destination })
  }

  syn(wanted: Partial<Wanted> = {}): Buffer {
    return this.packet({ flags: TcpFlag.syn, sequence: this.#random.edgyWord(), ...wanted })
  }
}

/** Options of all kinds that a SYN may have, by the letters of a layout. */
const pieces: Readonly<Record<string, (random: Random) => Buffer>> = {
  M: random => Buffer.of(2, 4, random.below(256), random.below(256)),
  S: () => Buffer.of(4, 2),
  T: random => Buffer.concat([Buffer.of(8, 10), random.bytes(8)]),
  W: random => Buffer.of(3, 3, random.below(20)),
  // TCP Fast Open without a cookie (RFC 7413 4.1.1).
  F: () => Buffer.of(34, 2),
}

/** All orders of all choices of them. */
const arrangements = (letters: readonly string[]): string[] => [
  '',
  ...letters.flatMap(letter => arrangements(letters.filter(other => other !== letter)).map(rest => letter + rest)),
]

describe('SYNs that the program answers, against the oracle', { skip }, () => {
  for (const host of hosts) {
    test(`options in all orders, with NOPs in front, between, or behind (${host})`, async () => {
      await using bench = await startBench(host)
      const random = new Random(1)
      const all = arrangements(Object.keys(pieces))
      assert.equal(all.length, 326)
      for (const arrangement of all) {
        for (const nopsAt of [0, 1, arrangement.length]) {
          const parts = Array.from(arrangement, letter => pieces[letter](random))
          const bytes = parts.reduce((sum, { length }) => sum + length, 0)
          parts.splice(nopsAt, 0, Buffer.alloc((4 - (bytes % 4)) % 4, 1))
          const syn = new Client(bench, random).syn({ options: Buffer.concat(parts) })
          const { options } = assertAnswered(bench, syn, send(bench, syn), `${arrangement}, NOPs at ${nopsAt}`)
          assert.equal(
            options,
            ['T', 'S', 'W'].reduce((sum, letter, bit) => sum | (arrangement.includes(letter) ? 1 << bit : 0), 0),
            arrangement,
          )
        }
      }
    })

    test(`${rounds.toLocaleString('en')} random SYNs, also such as nobody should send (${host})`, async t => {
      await using bench = await startBench(host)
      const random = new Random(2)
      const seen = { answered: 0, left: 0 }
      for (let round = 0; round < rounds; round++) {
        const layout = random.of(Object.keys(layouts))
        const flags = random.once(10) ? random.below(256) : TcpFlag.syn | (random.below(4) << 6)
        const payload = random.bytes(random.once(10) ? 1 + random.below(100) : 0)
        const made = new Client(bench, random).syn({ options: randomOptions(random, layout), flags, payload })
        const damage = random.once(3) ? random.of(damageNames) : undefined
        const packet = damage === undefined ? made : damages[damage](made, random, bench.family)
        const message = `packet ${round}: ${layout}, ${damage}`
        key.fill(0)
        const outcome = send(bench, packet)
        const isAnswered = answer(packet, { serverSequence: 0, nowNs: 0, mss }) !== undefined && headers.destinationPort === bench.vipPort
        seen[isAnswered ? 'answered' : 'left']++
        if (isAnswered) assertAnswered(bench, packet, outcome, message)
        else if (damage === undefined && (flags & decidingFlags) === TcpFlag.syn) assertPassed(packet, outcome, message)
        else assert.deepEqual([outcome.returned === TC_ACT_REDIRECT, outcome.opening], [false, undefined], message)
      }
      t.diagnostic(JSON.stringify(seen))
      assert.ok(seen.answered > rounds / 2 && seen.left > rounds / 10)
      assert.equal(bench.laboratory.totals().answeredSyns, seen.answered)
    })

    test(`the same SYN again gets the same number, and what it says counts; another one is another connection (${host})`, async () => {
      await using bench = await startBench(host)
      const random = new Random(3)
      const client = new Client(bench, random)
      const sequence = 0xffff_ffff
      const syn = (options: number[]): Buffer => client.syn({ sequence, options: Buffer.from(options) })
      const [damaged, repeated] = [syn([2, 4, 0, 9]), syn([2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0])]
      const first = assertAnswered(bench, damaged, send(bench, damaged))
      const second = assertAnswered(bench, repeated, send(bench, repeated))
      assert.deepEqual([second.serverSequence, second.mss, second.tsVal], [first.serverSequence, 1460, 0x0102_0304])
      const other = client.syn({ sequence: 7 })
      assert.notEqual(assertAnswered(bench, other, send(bench, other)).serverSequence, first.serverSequence)
    })

    test(`packets that follow: against the oracle, without a change but for the time (${host})`, async t => {
      await using bench = await startBench(host)
      const random = new Random(4)
      const seen = new Map<string, number>()
      for (let round = 0; round < rounds / 5; round++) {
        const client = new Client(bench, random)
        const syn = client.syn()
        const opening = assertAnswered(bench, syn, send(bench, syn))
        const wanted = {
          flags: random.once(4) ? random.below(64) & ~TcpFlag.syn : random.of([0x10, 0x10, 0x18, 0x11, 0x14, 0x04]),
          sequence: (opening.clientSequence + random.of([0, 1, 1, 1, 2, 1000])) >>> 0,
          acknowledgement: (opening.serverSequence + random.of([0, 1, 1, 1, 1, 2])) >>> 0,
          payload: random.bytes(random.of([0, 0, 1, 500])),
        }
        const packet = client.packet(wanted)
        const unknown = bench.laboratory.totals().unknownPackets
        const outcome = send(bench, packet)
        const expected = follow(packet, opening)
        seen.set(expected, (seen.get(expected) ?? 0) + 1)
        const message = `packet ${round}: ${expected} ${JSON.stringify({ ...wanted, payload: wanted.payload.length })}`
        const goesUp = expected === 'raised' || expected === 'others'
        assert.equal(outcome.returned, goesUp ? TCX_NEXT : TC_ACT_SHOT, message)
        if (goesUp) {
          const { source } = FlowKey.decode(key)
          const ends = { source, destination: bench.vip, sourcePort: client.port, destinationPort: raisePort }
          assert.deepEqual(outcome.frame.subarray(14), wrap(packet, ends), message)
        }
        // Nothing of the stack's: the agent is asked, and it knows no such connection either.
        assert.equal(bench.laboratory.totals().unknownPackets - unknown, expected === 'others' ? 1 : 0, message)
        const left = expected === 'ended' ? undefined : { ...opening, lastNs: outcome.opening?.lastNs }
        assert.deepEqual(outcome.opening, left, message)
        assert.ok((outcome.opening?.lastNs ?? opening.lastNs) >= opening.lastNs)
      }
      t.diagnostic(JSON.stringify(Object.fromEntries(seen)))
      for (const where of ['raised', 'swallowed', 'ended', 'others']) assert.ok((seen.get(where) ?? 0) > rounds / 200, `${where} happened`)
    })

    test(`where the agent does not want it, SYNs pass; what is open goes on (${host})`, async () => {
      await using bench = await startBench(host)
      const random = new Random(5)
      const [client, other] = [new Client(bench, random), new Client(bench, random)]
      const syn = client.syn({ sequence: 1 })
      const { serverSequence } = assertAnswered(bench, syn, send(bench, syn))
      bench.laboratory.settings.update(off, off)
      const unanswered = other.syn()
      assertPassed(unanswered, send(bench, unanswered))
      assert.equal(assertAnswered(bench, syn, send(bench, syn)).serverSequence, serverSequence)
      const acknowledgement = (serverSequence + 1) >>> 0
      assert.equal(send(bench, client.packet({ flags: TcpFlag.ack, sequence: 2, acknowledgement })).returned, TC_ACT_SHOT)
      const raised = send(bench, client.packet({ flags: TcpFlag.ack, sequence: 2, acknowledgement, payload: Buffer.from('GET') }))
      assert.deepEqual([raised.returned, bench.laboratory.totals().raisedPackets], [TCX_NEXT, 1])
      const another = client.syn({ sequence: 77 })
      assertPassed(another, send(bench, another), 'the stack makes this one, and the opening is of none any more')
    })

    test(`a connection of the stack is its own affair, also when it waits for late packets (${host})`, async () => {
      await using bench = await startBench(host)
      const { server, vip, vipPort } = bench
      const socket = connect(vipPort, host)
      const [[accepted]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')])
      const client = new Client(bench, new Random(6), vip, socket.localPort)
      const syn = client.syn()
      assertPassed(syn, send(bench, syn), 'established')
      accepted.destroySoon()
      socket.resume().end()
      await Promise.all([once(socket, 'close'), once(accepted, 'close')])
      assertPassed(syn, send(bench, syn), 'TIME-WAIT (RFC 9293 3.6.1)')
      const free = new Client(bench, new Random(7)).syn()
      assertAnswered(bench, free, send(bench, free))
    })

    test(`a SYN where nobody listens, or that is for another machine by its link address, passes (${host})`, async () => {
      await using bench = await startBench(host)
      const syn = new Client(bench, new Random(8)).syn()
      assertPassed(syn, send(bench, syn, frameOf(syn, bench.family, [clientLink, clientLink])))
      bench.server.close()
      await once(bench.server, 'close')
      assertPassed(syn, send(bench, syn))
      bench.server.listen(bench.vipPort, host)
      await once(bench.server, 'listening')
      assertAnswered(bench, syn, send(bench, syn))
    })

    test(`a client that uses its port again is answered; without an opening its packets are the stack's (${host})`, async () => {
      await using bench = await startBench(host)
      const client = new Client(bench, new Random(9))
      const syn = client.syn({ sequence: 100 })
      readTcpPacket(syn, 0, syn.length, headers)
      writeKeyOf(syn, headers, key)
      const entry = DirectorEntry.decode(Buffer.alloc(DirectorEntry.fixedSize))
      const write = (more: Partial<DirectorEntry>): void =>
        void bench.laboratory.flows.update(key, DirectorEntry.toBytes({ ...entry, action: DirectorAction.forward, ...more }))
      write({ flagsSeen: TcpFlag.fin | TcpFlag.ack })
      const { serverSequence } = assertAnswered(bench, syn, send(bench, syn))
      const request = client.packet({
        flags: TcpFlag.ack,
        sequence: 101,
        acknowledgement: (serverSequence + 1) >>> 0,
        payload: Buffer.from('GET / HTTP/1.1'),
      })
      assert.equal(send(bench, request).returned, TCX_NEXT)
      assert.equal(bench.laboratory.totals().raisedPackets, 1)
      bench.laboratory.openings.remove(key)
      assertPassed(request, send(bench, request))
      // And a third time.
      write({ flagsSeen: replacedFlag })
      const second = client.syn({ sequence: 5 })
      assertAnswered(bench, second, send(bench, second))
    })
  }

  test("sequence numbers are others for each client, port, and number of the client's (RFC 6528)", async () => {
    await using bench = await startBench('127.0.0.1')
    const random = new Random(10)
    const numberOf = (syn: Buffer): number => assertAnswered(bench, syn, send(bench, syn)).serverSequence
    const address = randomAddress(random, bench.family)
    const numbers = Array.from({ length: 1000 }, (_, port) => numberOf(new Client(bench, random, address, 1000 + port).syn({ sequence: 1 })))
    assert.equal(new Set(numbers).size, numbers.length)
    const steps = new Set(numbers.slice(1).map((number, index) => (number - numbers[index]) >>> 0))
    assert.ok(steps.size > 990, 'nor do they follow from one another')
  })
})
