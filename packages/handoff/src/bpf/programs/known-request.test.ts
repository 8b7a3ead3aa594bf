import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TCX_NEXT, TC_ACT_REDIRECT } from '@holdfast/posix/bpf'
import { direct } from '../../transform/direction.ts'
import type { Known } from '../../transform/direction.ts'
import { wrap } from '../../transform/encapsulation.ts'
import { ipv4, ipv6 } from '../../transform/families.ts'
import type { Family } from '../../transform/families.ts'
import { TcpFlag, newTcpPacket, readTcpPacket, writeKeyOf } from '../../transform/packet.ts'
import { DirectorAction, DirectorEntry, FlowKey, ForwardMethod } from '../entries.ts'
import type { KnownRequests } from '../known-requests.ts'
import { Knowing, loadKnowing } from '../loader/knowing.ts'
import { programsUnavailable } from '../test-support/availability.ts'
import { Laboratory, ethernet, run } from '../test-support/laboratory.ts'
import { damages, randomAddress, tcpPacket } from '../test-support/packets.ts'
import { Random } from '../test-support/random.ts'

const skip = programsUnavailable()

const vips = { 4: Buffer.from('00000000000000000000ffff0a000064', 'hex'), 6: Buffer.from('fd770000000000000000000000000100', 'hex') }
const [vipPort, raisePort] = [80, 7002]
const rounds = 20_000
/** In `requestAt`: the program has the lead. */
const leads = 0x1_0000_0000

/** Agents have the same address and another port, another address and the same port, or both. */
const [first, second] = [vips[6], Buffer.from('fd770000000000000000000000000101', 'hex')]
const agents = [
  { address: first, port: 7450 },
  { address: first, port: 7451 },
  { address: second, port: 7450 },
]
/** Longest prefix there may be. */
const longPrefix = `/${'l'.repeat(123)}`
const owners = new Map([
  ['/', agents[0]],
  ['/videos/', agents[1]],
  ['/videos/old', agents[2]],
  ['/shared/', undefined],
  ['/shared/one/', agents[0]],
  ['/a', agents[2]],
  [longPrefix, agents[1]],
])
const targets = [
  '/',
  '/a',
  '/ab',
  '/b',
  '/videos',
  '/videos/',
  '/videos/x?y=/a',
  '/videos/old',
  '/videos/oldest',
  '/shared/x',
  '/shared/one/y',
  longPrefix,
  `${longPrefix}x`,
  longPrefix.slice(0, -1),
]
const field = (bytes: number): string => `Host: h\r\nX: ${'x'.repeat(bytes - 'Host: h\r\nX: \r\n\r\n'.length)}\r\n\r\n`
/** The longest, and one byte less. */
const headers = ['Host: h\r\n\r\n', 'Host: h\r\nAccept: */*\r\n\r\n', field(512), field(511), 'x']

const known: Known = {
  isOwner(entry, target) {
    const prefix = [...owners.keys()].filter(each => target.startsWith(each)).toSorted((one, other) => other.length - one.length)[0]
    const owner = prefix === undefined ? undefined : owners.get(prefix)
    return owner !== undefined && owner.port === entry.agentPort && owner.address.equals(entry.agent)
  },
  isHeader: bytes => headers.includes(bytes.toString('latin1')),
}

const request = (random: Random): string => `GET ${random.of(targets)} HTTP/1.1\r\n${random.of(headers)}`

/** What a client may send. Those that are known are there as well: what is, and what is not, is the oracle's to say. */
const payloads: Readonly<Record<string, (random: Random) => string>> = {
  'a known request': request,
  'the same again': request,
  'two requests': random => request(random) + request(random),
  'half a head': random => request(random).slice(0, random.below(60)),
  'a head but for its last byte': random => request(random).slice(0, -1),
  'something behind it': random => request(random) + random.of(['\0', 'x', '\r\n', '\0'.repeat(4)]),
  'one byte differs': random => changed(request(random), random),
  'another method': random => request(random).replace('GET', random.of(['HEAD', 'POST', 'get', 'GEX', ' GET', 'G T'])),
  'two spaces': random => request(random).replace('GET ', 'GET  '),
  'a space at the end of the target': random => request(random).replace(' HTTP', '  HTTP'),
  'an absolute target': random => request(random).replace('GET ', 'GET http://h'),
  'a target without a slash': random => request(random).replace('GET /', 'GET *'),
  'another version': random => request(random).replace('HTTP/1.1', random.of(['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/1.11', 'HTTP'])),
  'no version': random => request(random).replace(' HTTP/1.1', ''),
  'only LF': random => request(random).replace('HTTP/1.1\r\n', random.of(['HTTP/1.1\n', 'HTTP/1.1\r', 'HTTP/1.1\n\r', 'HTTP/1.1\r\r\n'])),
  'an empty line in front': random => `\r\n${request(random)}`,
  'what no target has': random =>
    request(random).replace('GET /', `GET /${String.fromCharCode(random.of([0, 9, 10, 13, 31, 35, 127, 128, 160, 255, random.below(256)]))}`),
  'no header': random => `GET ${random.of(targets)} HTTP/1.1\r\n`,
  'an unknown header': random => `${request(random)}Connection: close\r\n\r\n`,
  'a long target': random => `GET /${'t'.repeat(230 + random.below(40))} HTTP/1.1\r\n${random.of(headers)}`,
  'a long header': random => `GET / HTTP/1.1\r\n${field(500 + random.below(30))}`,
  'very long': random => `GET / HTTP/1.1\r\n${field(600 + random.below(800))}`,
  zeros: random => '\0'.repeat(random.below(100)),
  anything: random => random.bytes(random.below(300)).toString('latin1'),
}
const names = Object.keys(payloads)
const damageNames = Object.keys(damages).filter(name => name !== 'cut off')

function changed(text: string, random: Random): string {
  const at = random.below(text.length)
  return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << random.below(8))) + text.slice(at + 1)
}

function entryOf(random: Random, family: Family, sequence: number, end: number): DirectorEntry {
  const agent = random.of(agents)
  const requestAt = random.of([sequence, sequence, sequence, sequence, sequence, (sequence + random.below(5) - 2) >>> 0, end, random.edgyWord()])
  return {
    action: random.once(12) ? random.below(4) : DirectorAction.split,
    method: random.below(2),
    interfaceIndex: 1,
    forwardUntil: random.of([sequence, end, random.edgyWord()]),
    nextHop: randomAddress(random, family),
    agent: agent.address,
    outerSource: random.bytes(16),
    agentPort: agent.port,
    outerSourcePort: random.below(0x10000),
    packets: 0,
    bytes: 0,
    lastNs: 0,
    flagsSeen: TcpFlag.ack,
    lastAck: random.word(),
    lastSequenceEnd: random.word(),
    requestAck: random.word(),
    requestAt: random.once(8) ? 0 : leads + requestAt,
    generation: 1,
    connection: 1,
    mss: 1460,
    options: 7,
    clientScale: 7,
    directorScale: 7,
    note: 0,
    receiveWindow: 65_535,
  }
}

const key = Buffer.alloc(FlowKey.fixedSize)
const value = Buffer.alloc(DirectorEntry.fixedSize)
const tcp = newTcpPacket()

/** What the program leaves of a packet that is raised, or forwarded; what the link has put behind it follows. */
function left(where: 'pass' | 'forward' | 'raise', packet: Buffer, entry: DirectorEntry): Buffer {
  if (where === 'pass' || (where === 'forward' && entry.method === ForwardMethod.neighbour)) return packet
  const { source, destination, sourcePort } = FlowKey.decode(key)
  const ends =
    where === 'raise'
      ? { source, destination, sourcePort, destinationPort: raisePort }
      : { source: entry.outerSource, destination: entry.agent, sourcePort: entry.outerSourcePort, destinationPort: entry.agentPort }
  return Buffer.concat([wrap(packet.subarray(0, tcp.end), ends), packet.subarray(tcp.end)])
}

function withProgram(family: Family, body: (bench: { readonly laboratory: Laboratory; readonly knowing: Knowing }) => void): void {
  using laboratory = new Laboratory(DirectorEntry.fixedSize)
  const constants = { vip: vips[family.version], vipPort, raisePort, linkBytes: 14 }
  using knowing = new Knowing(constants, { flows: laboratory.flows, totals: laboratory.totalsMap })
  body({ laboratory, knowing })
}

function teach(requests: KnownRequests): void {
  assert.ok(requests.replaceOwners(owners))
  for (const header of headers) assert.ok(requests.addHeader(Buffer.from(`..${header}`), 2, 2 + header.length))
  assert.equal(requests.addHeader(Buffer.alloc(600), 0, 513), false)
}

describe('requests that are known, against the oracle', { skip }, () => {
  for (const family of [ipv4, ipv6]) {
    test(`${rounds.toLocaleString('en')} packets of IPv${family.version}: where they go, every byte, and every field of the entry`, t =>
      withProgram(family, ({ laboratory, knowing }) => {
        teach(knowing.known)
        const random = new Random(0x71 + family.version)
        const sentOn = new Map<string, number>()
        for (let round = 0; round < rounds; round++) {
          const name = random.of(names)
          const payload = Buffer.from(payloads[name]?.(random) ?? '', 'latin1')
          const flags = random.once(12) ? random.below(256) : random.of([TcpFlag.ack, TcpFlag.ack | TcpFlag.psh])
          const wanted = { family, destination: vips[family.version], destinationPort: vipPort, payload, flags }
          const { packet: made, layout } = tcpPacket(random, wanted)
          assert.ok(readTcpPacket(made, 0, made.length, tcp))
          const entry = entryOf(random, family, tcp.sequence, (tcp.sequence + payload.length) >>> 0)
          const damage = random.once(15) ? random.of(damageNames) : undefined
          const packet = damage === undefined ? made : (damages[damage]?.(made, random, family) ?? made)
          writeKeyOf(made, tcp, key)
          DirectorEntry.encode(entry, value, 0)
          assert.equal(laboratory.flows.update(key, value), 0)

          const before = laboratory.totals().knownRequests
          const { returned, frame } = run(knowing.program, ethernet(packet, family))
          const expected = direct(packet, entry, 0, known)
          readTcpPacket(packet, 0, packet.length, tcp)
          const message = `packet ${round}: ${name}, ${layout}, ${damage}, ${JSON.stringify(entry)}`
          assert.equal(returned, expected.where === 'forward' ? TC_ACT_REDIRECT : TCX_NEXT, message)
          assert.equal(frame.subarray(14).toString('hex'), left(expected.where, packet, entry).toString('hex'), message)
          laboratory.flows.lookup(key, value)
          assert.deepEqual({ ...DirectorEntry.decode(value), lastNs: 0 }, expected.entry, message)
          const isKnown = expected.entry.requestAt !== entry.requestAt
          assert.equal(laboratory.totals().knownRequests - before, isKnown ? 1 : 0, message)
          if (isKnown) sentOn.set(name, (sentOn.get(name) ?? 0) + 1)
          laboratory.flows.remove(key)
        }
        t.diagnostic(`sent on: ${Array.from(sentOn, ([name, count]) => `${name} ${count}`).join(', ')}`)
        assert.ok((sentOn.get('a known request') ?? 0) > rounds / 200)
        const never = ['two requests', 'something behind it', 'another method', 'an absolute target', 'another version', 'only LF', 'very long']
        assert.deepEqual(
          never.filter(name => sentOn.has(name)),
          [],
        )
      }))
  }

  test('when nothing has been told, nothing is known; nor when the owners are others', () =>
    withProgram(ipv4, ({ laboratory, knowing }) => {
      const random = new Random(9)
      const payload = Buffer.from(`GET / HTTP/1.1\r\n${headers[0]}`)
      const send = (): boolean => {
        const { packet } = tcpPacket(random, { family: ipv4, destination: vips[4], destinationPort: vipPort, payload, flags: TcpFlag.ack })
        readTcpPacket(packet, 0, packet.length, tcp)
        const entry = { ...entryOf(random, ipv4, 0, 0), action: DirectorAction.split, agent: first, agentPort: 7450, requestAt: leads + tcp.sequence }
        writeKeyOf(packet, tcp, key)
        laboratory.flows.update(key, DirectorEntry.toBytes(entry))
        return run(knowing.program, ethernet(packet, ipv4)).returned === TC_ACT_REDIRECT
      }
      const header = Buffer.from(headers[0] ?? '')
      assert.equal(send(), false)
      knowing.known.replaceOwners(new Map([['/', agents[0]]]))
      assert.equal(send(), false, 'no header section')
      knowing.known.addHeader(header, 0, header.length)
      assert.equal(send(), true)
      knowing.known.replaceOwners(new Map([['/', agents[0]]]))
      assert.equal(send(), false, 'header sections are forgotten with the owners')
      for (const [prefix, isThere] of [
        ['/', true],
        ['/a', false],
      ] as const) {
        knowing.known.replaceOwners(new Map([[prefix, agents[0]]]))
        knowing.known.addHeader(header, 0, header.length)
        assert.equal(send(), isThere, prefix)
      }
    }))
})

describe('the lead', { skip }, () => {
  test('is given of an entry that is split, and taken from where the program got to', () =>
    withProgram(ipv4, ({ laboratory, knowing }) => {
      teach(knowing.known)
      const { lead } = knowing.known
      const random = new Random(11)
      const payload = Buffer.from(`GET / HTTP/1.1\r\n${headers[0]}`)
      const ends = { family: ipv4, source: randomAddress(random, ipv4), sourcePort: 5000, destination: vips[4], destinationPort: vipPort }
      const sequence = 0xffff_fff0
      const { packet } = tcpPacket(random, { ...ends, payload, flags: TcpFlag.ack, sequence })
      readTcpPacket(packet, 0, packet.length, tcp)
      writeKeyOf(packet, tcp, key)
      assert.equal(lead.give(key, sequence, 5), false, 'there is no entry')
      assert.equal(lead.take(key), undefined)
      const entry = { ...entryOf(random, ipv4, 0, 0), agent: first, agentPort: 7450, method: ForwardMethod.neighbour, requestAt: 0 }
      const found = (): DirectorEntry => {
        laboratory.flows.lookup(key, value)
        return { ...DirectorEntry.decode(value), lastNs: 0 }
      }
      for (const action of [DirectorAction.forward, DirectorAction.hold]) {
        laboratory.flows.update(key, DirectorEntry.toBytes({ ...entry, action }))
        assert.equal(lead.give(key, sequence, 5), false)
        assert.deepEqual(found(), { ...entry, action })
      }
      const split = { ...entry, action: DirectorAction.split }
      laboratory.flows.update(key, DirectorEntry.toBytes(split))
      assert.equal(lead.take(key), undefined, 'nobody has given it')
      assert.deepEqual(found(), split)
      assert.equal(lead.give(key, sequence, 5), true)
      assert.deepEqual(found(), { ...split, forwardUntil: sequence, requestAck: 5, requestAt: leads + sequence })
      assert.deepEqual({ ...lead.take(key) }, { sequence, acknowledgement: 5 })
      assert.deepEqual(found(), { ...split, forwardUntil: sequence, requestAck: 5 })
      assert.equal(lead.take(key), undefined)
      assert.equal(lead.give(key, sequence, 5), true)
      assert.equal(run(knowing.program, ethernet(packet, ipv4)).returned, TC_ACT_REDIRECT)
      const end = (sequence + payload.length) >>> 0
      assert.deepEqual({ ...lead.take(key) }, { sequence: end, acknowledgement: tcp.acknowledgement })
      assert.equal(found().forwardUntil, end)
      assert.equal(run(knowing.program, ethernet(packet, ipv4)).returned, TC_ACT_REDIRECT, 'sent again, it goes the same way')
      assert.equal(found().requestAt, 0)
    }))
})

test('where the kernel does not take it, the director does without, and says why', { skip }, () => {
  // Values without room for an entry are what a verifier minds everywhere.
  using laboratory = new Laboratory(8)
  const constants = { vip: vips[4], vipPort, raisePort, linkBytes: 14 }
  const knowing = loadKnowing(constants, { flows: laboratory.flows, totals: laboratory.totalsMap })
  assert.ok(typeof knowing === 'string')
  assert.match(knowing, /^the kernel does not let the program know requests .*: BPF_PROG_LOAD: E/)
})
