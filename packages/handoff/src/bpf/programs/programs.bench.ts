/** What the programs cost: `node packages/handoff/src/bpf/programs/programs.bench.ts`. Nothing is sent; the times are those of BPF_PROG_TEST_RUN. */
import type { BpfProgram } from '@holdfast/posix/bpf'
import { parseAddress } from '@holdfast/posix/network'
import { noAnswers } from '../../transform/answers.ts'
import { wrap } from '../../transform/encapsulation.ts'
import { ipv4, ipv6 } from '../../transform/families.ts'
import { TcpFlag } from '../../transform/packet.ts'
import { newSegment, segmentHeaderBytesMax, setEnds, writeSegment } from '../../transform/segment.ts'
import type { Program } from '../assembler/index.ts'
import { AgentEntry, AgentState, AnswerKind, Answers, DirectorAction, DirectorEntry, FlowKey, ForwardMethod, replacedFlag } from '../entries.ts'
import { Laboratory, ethernet } from '../test-support/laboratory.ts'
import { directorProgram } from './director.ts'
import { egressProgram, ingressProgram } from './server-agent.ts'

const ends = {
  ipv4: { client: parseAddress('10.0.0.2'), vip: parseAddress('10.0.0.100'), server: parseAddress('10.0.0.11'), director: parseAddress('10.0.0.1') },
  ipv6: { client: parseAddress('fd77::2'), vip: parseAddress('fd77::100'), server: parseAddress('fd77::11'), director: parseAddress('fd77::1') },
}
const [clientPort, vipPort, raisePort, listenPort] = [5000, 80, 7002, 7001]
const payload = Buffer.alloc(1300, 7)
/** As nginx sends it. */
const head = Buffer.from(
  'HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 01:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\nLast-Modified: Sun, 22 Nov 2026 01:00:00 GMT\r\nConnection: keep-alive\r\nETag: "6744d000-400"\r\nX-Server: a\r\nAccept-Ranges: bytes\r\n\r\n',
)
const output = Buffer.alloc(4096)
/** A program that leaves the packet as it found it can be run again on it. */
const repeat = 200_000
const once = 20_000

function packet(
  source: Buffer,
  destination: Buffer,
  port: number,
  payloadBytes: number,
  layout: 'usual' | 'other' = 'usual',
  bytes = payload,
): Buffer {
  const segment = newSegment()
  setEnds(segment, source, port === vipPort ? clientPort : vipPort, destination, port)
  segment.flags = TcpFlag.ack
  segment.window = 500
  segment.options.timestamps = true
  segment.options.tsVal = segment.options.tsEcr = 1000
  segment.payload = bytes
  segment.payloadEnd = payloadBytes
  const room = Buffer.alloc(segmentHeaderBytesMax + payloadBytes)
  const made = Buffer.from(room.subarray(0, writeSegment(segment, room)))
  // Timestamps in front of both NOPs: a layout for the walk.
  if (layout === 'other') {
    const optionsAt = made.length - payloadBytes - 12
    made.copyWithin(optionsAt, optionsAt + 2, optionsAt + 12)
    made.fill(1, optionsAt + 10, optionsAt + 12)
  }
  return made
}

function measure(what: string, program: BpfProgram, frame: Buffer, isRepeatable = true, before = (): void => {}): void {
  const run = (times: number): number => program.testRun({ packet: frame, output, repeat: times }).durationNs
  run(1000)
  let ns = Infinity
  for (let round = 0; round < 3; round++) {
    if (isRepeatable) ns = Math.min(ns, run(repeat))
    else {
      let sum = 0
      for (let i = 0; i < once; i++) {
        before()
        sum += run(1)
      }
      ns = Math.min(ns, sum / once)
    }
  }
  console.log(`${what.padEnd(60)} ${ns.toFixed(0).padStart(6)} ns${isRepeatable ? '' : ' (with the clock)'}`)
}

function load(laboratory: Laboratory, program: Program): BpfProgram {
  const loaded = laboratory.load(program)
  const { verifiedInstructions } = loaded.info()
  console.log(`${program.name}: ${program.length} instructions, ${verifiedInstructions} verified`)
  return loaded
}

for (const [name, family] of [['ipv4', ipv4] as const, ['ipv6', ipv6] as const]) {
  const { client, vip, server, director } = ends[name]
  const inKey = FlowKey.toBytes({ source: client, destination: vip, sourcePort: clientPort, destinationPort: vipPort })
  console.log(`\nIPv${family.version}`)
  {
    using laboratory = new Laboratory(DirectorEntry.fixedSize)
    const program = load(laboratory, directorProgram({ vip, vipPort, raisePort, linkBytes: 14 }))
    const zero = DirectorEntry.decode(Buffer.alloc(DirectorEntry.fixedSize))
    const use = (more: Partial<DirectorEntry>): void =>
      void laboratory.flows.update(
        inKey,
        DirectorEntry.toBytes({ ...zero, nextHop: server, agent: server, outerSource: director, interfaceIndex: 1, ...more }),
      )
    const [ack, request] = [packet(client, vip, vipPort, 0), packet(client, vip, vipPort, 100)].map(bytes => ethernet(bytes, family))
    measure('director: a packet for another address', program, ethernet(packet(client, server, vipPort, 0), family))
    measure('director: no entry, no socket: raised', program, ack, false)
    use({ flagsSeen: replacedFlag })
    measure('director: to the own stack by its entry', program, ack)
    use({ action: DirectorAction.split, method: ForwardMethod.neighbour })
    measure('director: ACK to the neighbour', program, ack)
    measure('director: request raised', program, request, false)
    use({ action: DirectorAction.forward, method: ForwardMethod.encapsulate })
    measure('director: wrapped for a server agent', program, ack, false)
  }
  {
    using laboratory = new Laboratory(AgentEntry.fixedSize)
    const ingress = load(laboratory, ingressProgram({ listen: server, listenPort, linkBytes: 14 }))
    const egress = load(laboratory, egressProgram({ linkBytes: 14 }))
    const zero = AgentEntry.decode(Buffer.alloc(AgentEntry.fixedSize))
    // Addresses and ports stay, so that the packet finds its entry again.
    const same = { newSource: client, newDestination: vip, newSourcePort: clientPort, newDestinationPort: vipPort }
    const use = (more: Partial<AgentEntry>): void =>
      void laboratory.flows.update(
        inKey,
        AgentEntry.toBytes({
          ...zero,
          ...same,
          addSequence: 1,
          addAcknowledgement: 2,
          addTsVal: 3,
          addTsEcr: 4,
          windowScaleFrom: 7,
          windowScaleTo: 8,
          ...more,
        }),
      )
    const small = packet(client, vip, vipPort, 0)
    measure('server agent: a packet without an entry, in', ingress, ethernet(small, family))
    measure('server agent: a packet without an entry, out', egress, ethernet(small, family))
    use({ state: AgentState.established })
    measure('server agent: ACK transformed, in', ingress, ethernet(small, family))
    measure('server agent: 1,300 bytes transformed, out', egress, ethernet(packet(client, vip, vipPort, 1300), family))
    const following = (answers: Answers): Buffer => {
      const synAck = Buffer.alloc(60)
      Answers.encode(answers, synAck, 0)
      return synAck
    }
    const content = ethernet(packet(client, vip, vipPort, 1300), family)
    use({ state: AgentState.established, synAck: following({ ...noAnswers(0), end: 0x4000_0000 }) })
    measure('server agent: the same, in the middle of a response', egress, content)
    use({ state: AgentState.established, synAck: following({ ...noAnswers(0), kind: AnswerKind.open, headEnd: 9 }) })
    measure('server agent: the same, in chunks', egress, content, false)
    const response = ethernet(packet(client, vip, vipPort, head.length, 'usual', head), family)
    use({ state: AgentState.established, synAck: following(noAnswers(0)) })
    measure('server agent: a packet of a length, for comparison', egress, response, false)
    const before = (): void => use({ state: AgentState.established, synAck: following(noAnswers(1)) })
    measure(`server agent: the same with a head of ${head.length} bytes that is read`, egress, response, false, before)
    use({ state: AgentState.established })
    measure('server agent: the same with options in an unusual order', egress, ethernet(packet(client, vip, vipPort, 1300, 'other'), family))
    laboratory.directors.update(director, Buffer.alloc(8))
    const datagram = wrap(small, { source: director, destination: server, sourcePort: listenPort, destinationPort: listenPort })
    measure('server agent: ACK taken out of a datagram and transformed', ingress, ethernet(datagram, family), false)
  }
}
