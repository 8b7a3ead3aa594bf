/**
 * What a hand-off costs the server agent: CPU time of its data thread, kernel included, with nginx as the server.
 *
 *     node bench/server-agent.ts [hand-offs]      in one process, step by step; then of an agent as it is started, by the kernel's count
 */
import { readdirSync, readFileSync } from 'node:fs'
import { inNetworkNamespace, parseAddress } from '@holdfast/posix/network'
import { ServerAgentPrograms } from '@holdfast/handoff/bpf'
import { createMac, endpointOf, readKeyFile } from '@holdfast/handoff/protocol'
import type { DirectorPeer } from '@holdfast/handoff/protocol'
import { Agent } from '../packages/handoff/src/server-agent/agent.ts'
import type { Words } from '../packages/handoff/src/server-agent/context.ts'
import { createMachine } from '../packages/handoff/src/server-agent/kernel-machine.ts'
import type { Machine as AgentMachine } from '../packages/handoff/src/server-agent/machine.ts'
import { agentPort, endpoint, makeGround, startAgent } from '../testing/handoff/agents.ts'
import type { Ground } from '../testing/handoff/agents.ts'
import { FakeDirector, firstConnection } from '../testing/handoff/fake-director.ts'
import type { FirstConnection } from '../testing/handoff/fake-director.ts'
import { oneLink } from '../testing/handoff/topologies.ts'
import type { Topology } from '../testing/handoff/topologies.ts'
import { makeContent, startNginx } from '../testing/handoff/web-servers.ts'

const count = Number(process.argv[2] ?? 20_000)
const request = Buffer.from('GET /a/small.txt HTTP/1.1\r\nHost: example.org\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n')

/** Another client each time; each round is another generation, as what has been released is not taken again. */
const nth = (n: number, generation = 1): FirstConnection =>
  firstConnection(`10.99.${(n >> 6) & 255}.${1 + (n & 63)}`, '10.98.0.1', { connection: 1_000_000 + n, generation, clientPort: 1024 + (n >> 14) })

/** ns of CPU that each thread of a process has had (proc(5), schedstat). */
function threadTimes(pid: number): Map<string, number> {
  const ids = readdirSync(`/proc/${pid}/task`)
  return new Map(ids.map(id => [id, Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'latin1').split(' ')[0])]))
}

/** The thread that has worked most since then. */
const busiestSince = (before: Map<string, number>, pid: number): number =>
  Math.max(...Array.from(threadTimes(pid), ([id, ns]) => ns - (before.get(id) ?? 0)))

async function asStarted(topology: Topology, ground: Ground): Promise<void> {
  const addresses = topology.addresses.ipv4
  await using agent = await startAgent(topology.a, 'a', addresses, { ground })
  using director = new FakeDirector(topology.director, endpoint(addresses.a, agentPort), readKeyFile(ground.keyFile))
  director.ready()
  for (const [round, outstanding] of [1, 8, 64].entries()) {
    const generation = round + 1
    const before = threadTimes(agent.pid)
    const begin = performance.now()
    let sent = 0
    const states = Array.from({ length: count }, (_, n) => nth(n, generation))
    const first = director.count
    while (sent < count) {
      for (; sent < count && sent - (director.count - first) < outstanding; sent++)
        director.link.sendHandoff(states[sent], request, 0, request.length)
      director.turn()
    }
    director.until('all are answered', () => director.count - first >= count)
    const ns = busiestSince(before, agent.pid)
    const seconds = (performance.now() - begin) / 1000
    console.log(
      `${String(outstanding).padStart(3)} at a time: ${(ns / count / 1000).toFixed(1)} µs of CPU a hand-off, ${Math.round(count / seconds)} hand-offs/s; ${director.refused} refused`,
    )
    for (const { connection } of states) director.link.sendRelease({ connection, generation, clientAck: 0, flags: 2 })
    director.until('all are released', () => director.count - first >= 2 * count, 30_000)
  }
}

/** Adds up how long calls take. */
class Steps {
  readonly #ns = new Map<string, number>()

  time<T>(name: string, action: () => T): T {
    const begin = process.hrtime.bigint()
    const result = action()
    this.#ns.set(name, (this.#ns.get(name) ?? 0) + Number(process.hrtime.bigint() - begin))
    return result
  }

  print(of: number): void {
    for (const [name, ns] of this.#ns) console.log(`  ${(ns / of / 1000).toFixed(2).padStart(6)} µs  ${name}`)
    this.#ns.clear()
  }
}

function stepByStep(topology: Topology, withHandshakes: boolean): void {
  const addresses = topology.addresses.ipv4
  const server = endpointOf(parseAddress(addresses.a), 80)
  inNetworkNamespace(`/run/netns/${topology.a.namespace}`, () => {
    using programs = ServerAgentPrograms.attach({ interfaces: ['eth0'], listen: server.address, listenPort: agentPort, maxEntries: 1 << 18 })
    const loop = { now: () => performance.now(), after: () => ({ cancel: () => {} }) }
    using real = createMachine({ loop, programs, server, opensDirectly: !withHandshakes })
    const steps = new Steps()
    const { flows, pairs, open } = real
    let sends = 0
    const machine: AgentMachine = {
      ...real,
      flows: {
        lookup: (key, value) => steps.time('look-up', () => flows.lookup(key, value)),
        update: (key, value, mode) => steps.time(`update (${['any', 'new', 'existing'][mode ?? 0]})`, () => flows.update(key, value, mode)),
        remove: key => steps.time('remove', () => flows.remove(key)),
        forEach: visit => flows.forEach(visit),
      },
      pairs: {
        write: (...pair) => steps.time('both entries', () => pairs.write(...pair)),
        read: (...pair) => steps.time('look at both', () => pairs.read(...pair)),
        settle: (...pair) => steps.time('settle both', () => pairs.settle(...pair)),
        remove: (...keys) => steps.time('remove both', () => pairs.remove(...keys)),
      },
      send: (packet, length) => steps.time(sends++ % 2 === 0 ? 'SYN to SYN-ACK' : 'ACK and request', () => real.send(packet, length)),
      open: open === undefined ? undefined : (packet, length) => steps.time('request, which opens', () => open(packet, length)),
    }
    const agent = new Agent({ machine, server, capacity: 1 << 17, idleMs: 60_000 })
    let accepted = 0
    const nothing = (): void => {}
    const words: Words = {
      accept: () => void accepted++,
      refuse: nothing,
      busy: nothing,
      released: nothing,
      closed: nothing,
      owner: nothing,
      peerAt: () => undefined,
    }
    agent.begin(words)
    const peer: DirectorPeer = { director: 1, endpoint: endpointOf(parseAddress(addresses.director), 4000), heardMs: 0, tag: 0 }
    const states = Array.from({ length: count }, (_, n) => ({ ...nth(n), requestBytes: request.length }))
    const mac = createMac(Buffer.alloc(32, 1))
    const datagram = Buffer.alloc(148 + request.length)
    for (const round of [1, 2, 3]) {
      accepted = 0
      sends = 0
      const cpu = process.cpuUsage()
      for (const state of states) steps.time('all', () => agent.handoff(peer, { ...state, generation: round }, request, 0, request.length))
      const { user, system } = process.cpuUsage(cpu)
      for (let n = 0; n < count; n++) steps.time('MAC (apart)', () => mac.verify(datagram, 0, datagram.length))
      console.log(`round ${round}: ${accepted} accepted; CPU ${(user / count).toFixed(1)} + ${(system / count).toFixed(1)} µs`)
      steps.print(count)
      for (const { connection } of states) agent.release(peer, { connection, generation: round, clientAck: 0, flags: 2 })
      steps.print(count)
    }
  })
}

await using ground = await makeGround()
await using topology = await oneLink()
await topology.a.ip('route', 'add', '10.99.0.0/16', 'via', topology.addresses.ipv4.client)
const content = makeContent(ground.folder.at('content'), ['a'], ['small.txt'])
await using _nginx = await startNginx({ machine: topology.a, folder: ground.folder, name: 'a', content: content.folder })
for (const withHandshakes of [true, false]) {
  console.log(withHandshakes ? 'with handshakes:' : 'without:')
  stepByStep(topology, withHandshakes)
}
await asStarted(topology, ground)
