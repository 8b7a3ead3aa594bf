/** `--status` for people. */

import type { DirectorStatus } from '@holdfast/handoff/director'
import type { ServerAgentStatus } from '@holdfast/handoff/server-agent'
import { lines, table } from '../commands/api/table.ts'
import { formatAddress } from '../config/addresses.ts'
import { formatSize } from '../config/units.ts'

/** What the process adds to what runs in it. */
export interface ProcessStatus {
  readonly pid: number
  readonly startedAt: string
}

/** How it may look. */
export interface Style {
  readonly colours?: boolean
}

const seconds = (iso: string): string => iso.slice(0, 19).replace('T', ' ')
const attached = ({ attach, pinDirectory }: Pick<DirectorStatus, 'attach' | 'pinDirectory'>): string =>
  pinDirectory === undefined ? `by ${attach}, not pinned: transfers end with this process` : `by ${attach}, pinned in ${pinDirectory}`
const several = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ') || 'none'

/** Of a director: what it is, its agents, what it has done. */
export function directorText(status: DirectorStatus & ProcessStatus, style: Style): string {
  const { metrics } = status
  const head = lines(
    [
      ['director', `${formatAddress(status.vip)} on ${status.interface}, ${status.mode}, pid ${status.pid} since ${seconds(status.startedAt)}`],
      ['program', attached(status)],
      ['connections', `${metrics.entries} handed over, ${metrics.reading} being read, ${metrics.proxying} being proxied`],
      [
        'so far',
        `${metrics.accepted} accepted, ${metrics.handoffs} handed over, ${metrics.moves} moved on, ${metrics.proxied} proxied, ${metrics.reset} reset`,
      ],
      ['later requests', `${metrics.continued} for the same owner, ${metrics.busy} had to wait`],
      ['refusals', several(metrics.refusals)],
      ['of clients', `${formatSize(metrics.forwardedBytes)} sent on, ${formatSize(metrics.raisedBytes)} looked at`],
    ],
    style,
  )
  const agents = table(
    [
      ['AGENT', 'HEALTH', 'SERVER', 'BY', 'CONNECTIONS', 'OF ALL', 'CAPACITY'],
      ...status.agents.map(({ agent, health, server, forward, connections, connectionsOfAll, capacity }) => [
        agent,
        health,
        server ?? '',
        forward,
        String(connections),
        String(connectionsOfAll),
        String(capacity),
      ]),
    ],
    { ...style, right: [4, 5, 6] },
  )
  return `${head}\n\n${agents}`
}

/** Of a server agent. */
export function serverAgentText(status: ServerAgentStatus & ProcessStatus, style: Style): string {
  const { metrics } = status
  const where = `${formatAddress(status.listen)} on ${status.interfaces.join(', ')}`
  const head = lines(
    [
      ['server agent', `${where}, pid ${status.pid} since ${seconds(status.startedAt)}`],
      ['server', formatAddress(status.local)],
      ['program', attached(status)],
      ['connections', `${status.connections}, room for ${status.capacity}`],
      ['so far', `${metrics.handoffs} taken over, ${metrics.released} moved on, ${metrics.closed} closed, ${metrics.idle} forgotten as nothing came`],
      ['refusals', several(metrics.refusals)],
      ['to clients', `${formatSize(metrics.outBytes)} in ${metrics.outPackets} packets`],
      ['from clients', `${formatSize(metrics.inBytes)} in ${metrics.inPackets} packets`],
    ],
    style,
  )
  const directors = table(
    [
      ['DIRECTOR', 'CONNECTIONS', 'SILENT FOR'],
      ...status.directors.map(({ address, connections, silentMs }) => [formatAddress(address), String(connections), `${Math.round(silentMs)} ms`]),
    ],
    { ...style, right: [1, 2] },
  )
  return `${head}\n\n${directors}`
}
