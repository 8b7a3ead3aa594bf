/** The data thread of a server agent: programs, sockets and the loop. */

import { parseAddress } from '@holdfast/posix/network'
import { ServerAgentPrograms } from '../bpf/index.ts'
import { Loop, runDataThread } from '../loop/index.ts'
import type { ThreadVoice, ThreadWork } from '../loop/index.ts'
import { AgentLinks, createMac, endpointOf } from '../protocol/index.ts'
import type { Endpoint as ProtocolEndpoint } from '../protocol/index.ts'
import { Agent } from './agent.ts'
import { createMachine } from './kernel-machine.ts'
import type { Endpoint } from './options.ts'
import type { DirectorStatus, ServerAgentMetrics, ServerAgentStatus } from './status.ts'
import type { ThreadStart } from './thread-start.ts'

/** For how long an agent that is told to end still answers. */
const endMs = 50

const endpointFrom = ({ host, port }: Endpoint): ProtocolEndpoint => endpointOf(parseAddress(host), port)

interface Parts {
  readonly start: ThreadStart
  readonly loop: Loop
  readonly programs: ServerAgentPrograms
  readonly agent: Agent
  readonly links: AgentLinks
}

function metricsOf({ programs, agent }: Parts): ServerAgentMetrics {
  const { outPackets, outBytes, inPackets, inBytes, droppedPackets } = programs.totals()
  return { ...agent.counters, connections: agent.connections(), outPackets, outBytes, inPackets, inBytes, droppedPackets }
}

function directorsOf({ loop, agent, links }: Parts): DirectorStatus[] {
  const counts = agent.connectionsByPeer()
  return Array.from(links.peers, peer => ({
    address: { host: peer.endpoint.host, port: peer.endpoint.port },
    silentMs: Math.round(loop.now() - peer.heardMs),
    connections: counts.get(peer) ?? 0,
  }))
}

function statusOf(parts: Parts): ServerAgentStatus {
  const { start, programs, agent, links } = parts
  const { attached } = programs
  return {
    listen: { host: links.local.host, port: links.local.port },
    local: start.local,
    interfaces: start.interfaces,
    attach: attached.method,
    ...(attached.isPinned && start.pinDirectory !== undefined && { pinDirectory: start.pinDirectory }),
    connections: agent.connections(),
    capacity: start.capacity,
    directors: directorsOf(parts),
    metrics: metricsOf(parts),
  }
}

function begin(start: ThreadStart, voice: ThreadVoice): ThreadWork<ServerAgentStatus> {
  const { interfaces, attach, capacity, idleMs } = start
  const listen = endpointFrom(start.listen)
  const server = endpointFrom(start.local)
  using undo = new DisposableStack()
  const loop = undo.use(new Loop())
  const programs = undo.use(
    ServerAgentPrograms.attach({
      interfaces,
      attach,
      listen: listen.address,
      listenPort: listen.port,
      maxEntries: 2 * capacity,
      ...(start.pinDirectory !== undefined && { pinDirectory: start.pinDirectory }),
    }),
  )
  const machine = undo.use(createMachine({ loop, programs, server }))
  const agent = new Agent({ machine, server, capacity, idleMs })
  const links = new AgentLinks({ loop, mac: createMac(start.key), listen, server, capacity, handler: agent })
  undo.defer(() => links.close())
  agent.begin(links)
  loop.addQueue(agent.deadlines)
  if (programs.attached.notPinned !== undefined) voice.notice(programs.attached.notPinned)
  const parts: Parts = { start, loop, programs, agent, links }
  const all = undo.move()
  return {
    loop,
    status: () => statusOf(parts),
    end: () => {
      // Directors learn it from the first who asks, and do not wait for an answer.
      agent.isEnding = true
      loop.after(endMs, () => loop.stop())
    },
    [Symbol.dispose]: () => all.dispose(),
  }
}

runDataThread(begin)
