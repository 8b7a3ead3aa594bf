/** Takes up what an earlier director has left: entries of the pinned map, and connections that only agents know of. */
import { DirectorAction, DirectorEntry, replacedFlag } from '../bpf/index.ts'
import type { FlowMap } from '../bpf/index.ts'
import { endpointOf } from '../protocol/index.ts'
import type { DirectorLink, Owner } from '../protocol/index.ts'
import type { Agent } from './agents.ts'
import { Connection } from './connection.ts'
import type { Core } from './core.ts'
import { assign } from './core.ts'
import { flowOf } from './flow.ts'
import type { Flow, FlowKeys } from './flow.ts'

/** Connections of entries that are there. Those that nobody may have are removed: the agents will be asked when something comes of them. */
export function takeUpEntries(core: Core, flows: FlowMap, keys: FlowKeys): void {
  flows.forEach((key, value) => {
    const flow = keys.flowOf(key)
    if (flow === undefined) return
    const entry = DirectorEntry.decode(value)
    const isOwned = (entry.action === DirectorAction.forward || entry.action === DirectorAction.split) && (entry.flagsSeen & replacedFlag) === 0
    const agent = isOwned ? core.agents.at(endpointOf(entry.agent, entry.agentPort)) : undefined
    if (agent === undefined) {
      flows.remove(key)
      return
    }
    const connection = new Connection(flow)
    connection.state = entry.action === DirectorAction.forward ? 'forwarded' : 'handed'
    connection.hasEntry = true
    connection.forwardUntil = entry.forwardUntil
    connection.programLeads = entry.requestAt !== 0
    connection.clientSequenceNext = entry.lastSequenceEnd
    connection.serverSequenceNext = entry.lastAck
    agreeOn(connection, entry)
    core.entries.count++
    core.counters.resumed++
    connection.resumed = 'unsaid'
    add(core, connection, agent)
  })
}

/**
 * OWNER: an agent has a connection that we do not know, and have asked about. `found` gives the sequence number of the last packet that came of it: what comes from there on is looked
 * at, and nothing of it is taken for the end of a content (`forwardUntil`).
 */
export function learn(core: Core, link: DirectorLink, owner: Owner, found: (flow: Flow) => number | undefined): void {
  const agent = core.agents.of(link)
  if (agent === undefined || !owner.vip.equals(core.vip.address) || owner.vipPort !== core.vip.port) return
  const flow = flowOf(owner.client, owner.clientPort, core.vip.isIpv4)
  const known = core.connections.byFlow.get(flow)
  // It was asked for only to say that it is ours now.
  if (known?.agent === agent) known.resumed = 'no'
  const sequence = found(flow)
  // Nor when the client has begun another one from the same port meanwhile.
  if (sequence === undefined || known !== undefined || core.openings.isThere(flow)) return
  const connection = new Connection(flow)
  const action = core.mode === 'per-request' ? 'split' : 'forward'
  connection.state = action === 'split' ? 'handed' : 'forwarded'
  connection.forwardUntil = connection.clientSequenceNext = sequence
  agreeOn(connection, owner)
  core.counters.learned++
  add(core, connection, agent)
  core.entries.give(connection, agent, action)
}

type Agreed = Pick<Owner, 'connection' | 'generation' | 'mss' | 'options' | 'clientScale' | 'directorScale' | 'receiveWindow'>

function agreeOn(connection: Connection, agreed: Agreed): void {
  connection.number = agreed.connection
  connection.generation = agreed.generation
  connection.mss = agreed.mss
  connection.options = agreed.options
  connection.clientScale = agreed.clientScale
  connection.directorScale = agreed.directorScale
  connection.receiveWindow = agreed.receiveWindow
}

function add(core: Core, connection: Connection, agent: Agent): void {
  assign(connection, agent)
  core.connections.addNumbered(connection)
  core.checkLater(connection)
}
