/** An agent with a machine and a director of the test: made anew by `setUp`, and again over the same machine by `start`. */

import assert from 'node:assert/strict'
import { AgentEntry } from '../../bpf/entries.ts'
import { offsetsOf } from '../../bpf/offsets.ts'
import { endpointOf } from '../../protocol/index.ts'
import type { DirectorPeer, Endpoint } from '../../protocol/index.ts'
import type { Handoff } from '../../protocol/messages.ts'
import { writeFlowKey } from '../../transform/packet.ts'
import { Agent } from '../agent.ts'
import { handoffOf, mapped, peerOf, RecordedWords, request } from './fake-directors.ts'
import { FakeMachine } from './fake-machine.ts'

/** Where fields of an entry are. */
export const at = offsetsOf(AgentEntry)
export const server: Endpoint = endpointOf(mapped(10, 0, 0, 11), 8080)
export const idleMs = 60_000
export const capacity = 10
/** Of `handoffOf`. */
export const { client, vip } = handoffOf()

export let machine: FakeMachine
export let words: RecordedWords
export let agent: Agent
export let peer: DirectorPeer

/** A new agent, which finds what the machine has in its map. */
export function start(to: Endpoint = server): void {
  machine.forgetTimers()
  words = new RecordedWords()
  words.peers.push(peer)
  agent = new Agent({ machine, server: to, capacity, idleMs })
  agent.begin(words)
}

/** Everything new. */
export function setUp(): void {
  machine = new FakeMachine()
  peer = peerOf(1)
  start()
}

/** Hands a connection over; returns what the agent says. */
export function handOff(different: Partial<Handoff> = {}, bytes: Buffer = request): string[] {
  agent.handoff(peer, handoffOf({ requestBytes: bytes.length, ...different }), bytes, 0, bytes.length)
  return words.take()
}

/** RELEASE of that connection. */
export function release(clientAck: number, flags = 0, generation = 1): string[] {
  agent.release(peer, { connection: 77, generation, clientAck, flags })
  return words.take()
}

/** Time passes, as the loop sees it. */
export function pass(ms: number): void {
  for (let passed = 0; passed < ms; passed += 250) {
    machine.advance(250)
    agent.deadlines.run(machine.timeMs)
  }
}

/** `FlowKey`. */
export function keyOf(source: Uint8Array, destination: Uint8Array, sourcePort: number, destinationPort: number): Buffer {
  const key = Buffer.alloc(36)
  writeFlowKey(key, source, destination, sourcePort, destinationPort)
  return key
}

/** Keys of that connection. */
export const inKey: Buffer = keyOf(client, vip, 40_000, 80)
export const outKey: Buffer = keyOf(server.address, client, 8080, 40_000)

/** An entry that is there. */
export function entry(key: Buffer): Buffer {
  const value = Buffer.alloc(AgentEntry.fixedSize)
  assert.ok(machine.flows.lookup(key, value), 'the entry is there')
  return value
}

/** TCP flags of what has been sent. */
export const flagsSent = (): number[] => machine.sent.map(({ flags }) => flags)
