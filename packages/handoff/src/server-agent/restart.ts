/** Connections of an agent before this one: what it left in the pinned map. */

import { AgentEntry, AgentState } from '../bpf/entries.ts'
import { offsetsOf } from '../bpf/offsets.ts'
import { minus } from '../transform/sequence.ts'
import { Connection } from './connections.ts'
import type { AgentContext } from './context.ts'
import { connectionOf } from './handshake.ts'

const at = offsetsOf(AgentEntry)
const addressBytes = 16
const incoming = 1

interface Entry {
  readonly key: Buffer
  readonly value: Buffer
}

/** Takes up the connections that are in the map whole, and removes what is left of others. Their keys are kept. */
export function takeUp(context: AgentContext): readonly Connection[] {
  const outs = new Map<number, Entry>()
  const ins = new Map<number, Entry>()
  const stale: Buffer[] = []
  context.machine.flows.forEach((key, value) => {
    const entry = { key: Buffer.from(key), value: Buffer.from(value) }
    if (value[at.state] === AgentState.handshake) stale.push(entry.key)
    else (value[at.direction] === incoming ? ins : outs).set(connectionOf(value), entry)
  })
  const taken: Connection[] = []
  for (const [number, entry] of ins) {
    const out = outs.get(number)
    const connection = out === undefined ? undefined : takeUpOne(context, number, entry, out)
    if (connection === undefined) stale.push(entry.key)
    else {
      outs.delete(number)
      taken.push(connection)
    }
  }
  for (const key of [...stale, ...Array.from(outs.values(), entry => entry.key)]) context.machine.flows.remove(key)
  context.counters.resumed += taken.length
  return taken
}

function takeUpOne({ keys, connections, server }: AgentContext, number: number, { key, value }: Entry, out: Entry): Connection | undefined {
  const isOurs = value.readUInt16BE(at.newDestinationPort) === server.port && addressIn(value, at.newDestination).equals(server.address)
  if (!isOurs || keys.room === 0) return undefined
  keys.set({ client: key.subarray(0, 16), vip: key.subarray(16, 32), clientPort: key.readUInt16BE(32), vipPort: key.readUInt16BE(34) })
  keys.secondPort = value.readUInt16BE(at.newSourcePort)
  if (!keys.out.equals(out.key)) return undefined
  const connection = new Connection(number, value.readUInt32LE(at.generation), undefined)
  connection.state = 'established'
  connection.addSequence = minus(0, value.readUInt32LE(at.addAcknowledgement))
  connection.addTsVal = minus(0, value.readUInt32LE(at.addTsEcr))
  connection.serverSequenceNext = out.value.readUInt32LE(at.sequenceEndMax)
  // How long it was is not known, but whether there was an answer: where the server has sent something, that was it.
  connection.requestBytes = hasPackets(out.value) ? 0 : 1
  connection.injectedEnd = value.readUInt32LE(at.sequenceEndMax)
  connection.injected.isKnown = false
  connection.mss = value.readUInt16LE(at.mss)
  connection.options = value[at.options]
  connection.clientScale = value[at.clientScale]
  connection.directorScale = value[at.directorScale]
  connection.receiveWindow = value.readUInt32LE(at.receiveWindow)
  connections.add(connection)
  return connection
}

const addressIn = (entry: Buffer, offset: number): Buffer => entry.subarray(offset, offset + addressBytes)
/** Whether a packet has come since the entry was made. */
export const hasPackets = (entry: Buffer): boolean => entry.readUInt32LE(at.packets) !== 0 || entry.readUInt32LE(at.packets + 4) !== 0
