/** What is left in the maps of a scene, for people: which connections, what has been seen of them, and whether anybody has a socket of them. */
import { existsSync } from 'node:fs'
import { AgentEntry, AgentState, DirectorAction, DirectorEntry, FlowKey, replacedFlag, resetFlag } from '@holdfast/handoff/bpf'
import { TcpFlag } from '@holdfast/handoff/transform'
import { openPinnedMap } from '@holdfast/posix/bpf'
import type { Scene } from './scene.ts'

/** More are not of interest. */
const shownMax = 10

const nameOf = (words: Readonly<Record<string, number>>, value: number): string =>
  Object.keys(words).find(word => words[word] === value) ?? String(value)
const flagsOf = (seen: number): string =>
  Object.entries({ ...TcpFlag, replaced: replacedFlag, reset: resetFlag })
    .filter(([, bit]) => (seen & bit) !== 0)
    .map(([name]) => name)
    .join('+')
const secondsSince = (ns: number): string => (ns === 0 ? 'never' : `${((Number(process.hrtime.bigint()) - ns) / 1e9).toFixed(1)} s ago`)

/** The entries of a pinned map, in words. */
function entriesOf(path: string, describe: (value: Buffer) => string): { readonly ports: number[]; readonly lines: string[] } {
  const ports: number[] = []
  const lines: string[] = []
  if (!existsSync(path)) return { ports, lines }
  using map = openPinnedMap(path)
  map?.forEach((key, value) => {
    const { sourcePort, destinationPort } = FlowKey.decode(key)
    ports.push(sourcePort, destinationPort)
    lines.push(`${sourcePort} -> ${destinationPort} ${describe(value)}`)
  })
  return { ports, lines }
}

function describeDirector(value: Buffer): string {
  const { action, forwardUntil, packets, lastNs, flagsSeen, lastAck, lastSequenceEnd, requestAt, requestAck, generation, connection, note } =
    DirectorEntry.decode(value)
  const what = {
    forwardUntil,
    packets,
    flags: flagsOf(flagsSeen),
    lastAck,
    lastSequenceEnd,
    requestAt: String(requestAt),
    requestAck,
  }
  return `${nameOf(DirectorAction, action)}, last packet ${secondsSince(lastNs)} ${JSON.stringify({ ...what, generation, connection: String(connection), note })}`
}

function describeAgent(value: Buffer): string {
  const { state, packets, lastNs, flagsSeen, lastAck, sequenceEndMax } = AgentEntry.decode(value)
  return `${nameOf(AgentState, state)}, last packet ${secondsSince(lastNs)} ${JSON.stringify({ packets, flags: flagsOf(flagsSeen), lastAck, sequenceEndMax })}`
}

/** Everything that is known of what is left. */
export async function describeLeft({ topology, ground }: Scene): Promise<string[]> {
  const parts = [
    { name: 'director', describe: describeDirector },
    { name: 'agent-a', describe: describeAgent },
    { name: 'agent-b', describe: describeAgent },
  ].map(({ name, describe }) => ({ name, ...entriesOf(`${ground.pins}/${name}/flows`, describe) }))
  const ports = new Set(parts.flatMap(part => part.ports).filter(port => port > 1024))
  const lines = parts.flatMap(({ name, lines: entries }) => entries.slice(0, shownMax).map(line => `${name}: ${line}`))
  for (const machine of ['client', 'a', 'b'] as const) {
    const sockets = (await topology[machine].must(['ss', '-Htanoi'])).replaceAll('\n\t', ' ').split('\n')
    const ofThem = sockets.filter(line => [...ports].some(port => new RegExp(`:${port}\\s`).test(line)))
    lines.push(...ofThem.slice(0, shownMax).map(line => `${machine}: socket ${line.trim()}`))
  }
  return lines
}
