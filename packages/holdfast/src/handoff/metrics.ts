/** What director and server agent count, as Prometheus has it. */

import type { MetricSample, MetricType } from '@holdfast/engine'
import type { DirectorMetrics } from '@holdfast/handoff/director'
import type { ServerAgentMetrics } from '@holdfast/handoff/server-agent'

/** Type, label, help, and where the values are: one, or one for each value of the label. */
type Row<M> = readonly [type: MetricType, label: string, help: string, of: (metrics: M) => number | Readonly<Record<string, number>>]
type Rows<M> = Readonly<Record<string, Row<M>>>

const ofBoth: Rows<DirectorMetrics & ServerAgentMetrics> = {
  holdfast_handoff_handoffs_total: ['counter', '', 'Connections handed over', m => m.handoffs],
  holdfast_handoff_repeats_total: ['counter', '', 'Hand-offs that were sent again', m => m.repeats],
  holdfast_handoff_refusals_total: ['counter', 'reason', 'Hand-offs refused, or not answered', m => m.refusals],
  holdfast_handoff_continued_total: ['counter', '', 'Later packets of requests given to the owner that has the connection', m => m.continued],
  holdfast_handoff_busy_total: ['counter', '', 'Connections that could not be moved yet, as a response was under way', m => m.busy],
  holdfast_handoff_resumed_total: ['counter', '', 'Connections taken up from an earlier process', m => m.resumed],
  holdfast_handoff_ended_total: ['counter', 'by', 'Connections whose entry is gone', m => ({ closed: m.closed, idle: m.idle })],
  holdfast_handoff_dropped_packets_total: ['counter', '', 'Packets that could not be changed or sent on', m => m.droppedPackets],
}

const ofDirector: Rows<DirectorMetrics> = {
  holdfast_handoff_accepted_total: ['counter', '', 'Connections of clients', m => m.accepted],
  holdfast_handoff_moves_total: ['counter', '', 'Connections handed on to another owner, or anew to the same', m => m.moves],
  holdfast_handoff_thawed_total: ['counter', '', 'Connections that went on in the stack of the director, as nobody took them over', m => m.thawed],
  holdfast_handoff_restored_total: ['counter', '', 'Connections put back into the stack of the director', m => m.restored],
  holdfast_handoff_proxied_total: ['counter', '', 'Connections proxied', m => m.proxied],
  holdfast_handoff_proxying: ['gauge', '', 'Connections that are being proxied', m => m.proxying],
  holdfast_handoff_answered_total: ['counter', 'status', 'Requests the director answered itself', m => m.answered],
  holdfast_handoff_reset_total: ['counter', '', 'Connections reset, as the machine of their owner is gone', m => m.reset],
  holdfast_handoff_reading: ['gauge', '', 'Connections whose request is being read', m => m.reading],
  holdfast_handoff_discarded_total: ['counter', '', 'Connections closed before there was a request', m => m.dropped],
  holdfast_handoff_learned_total: ['counter', '', 'Connections learned from server agents', m => m.learned],
  holdfast_handoff_entries: ['gauge', '', 'Connections that have an entry', m => m.entries],
  holdfast_handoff_agents_healthy: ['gauge', '', 'Server agents that take connections', m => m.agentsHealthy],
  holdfast_handoff_forwarded_packets_total: ['counter', '', 'Packets of clients sent on to owners in the kernel', m => m.forwardedPackets],
  holdfast_handoff_forwarded_bytes_total: ['counter', '', 'Bytes of these packets', m => m.forwardedBytes],
  holdfast_handoff_known_requests_total: ['counter', '', 'Requests of clients sent on to owners in the kernel', m => m.knownRequests],
  holdfast_handoff_raised_packets_total: ['counter', '', 'Packets of clients that the director looked at', m => m.raisedPackets],
  holdfast_handoff_raised_bytes_total: ['counter', '', 'Bytes of these packets', m => m.raisedBytes],
  holdfast_handoff_unknown_packets_total: ['counter', '', 'Packets of connections that are not known', m => m.unknownPackets],
  holdfast_handoff_answered_syns_total: ['counter', '', 'SYNs of clients answered in the kernel', m => m.answeredSyns],
}

const ofServerAgent: Rows<ServerAgentMetrics> = {
  holdfast_handoff_handshakes_total: ['counter', '', 'SYNs sent to the server, where the request could not open the connection', m => m.handshakes],
  holdfast_handoff_requests_repeated_total: [
    'counter',
    '',
    'Requests that the server had not taken, and that were sent again',
    m => m.requestsRepeated,
  ],
  holdfast_handoff_other_ports_total: ['counter', '', 'Hand-offs for which the port of the client was taken', m => m.otherPorts],
  holdfast_handoff_second_looks_total: ['counter', '', 'Hand-offs whose server did not answer at once', m => m.secondLooks],
  holdfast_handoff_replaced_total: ['counter', '', 'Connections that gave way to a newer one of the same address and port', m => m.replaced],
  holdfast_handoff_released_total: ['counter', '', 'Connections that moved to another owner', m => m.released],
  holdfast_handoff_finished_total: ['counter', '', 'Connections ended by the director after their last response', m => m.finished],
  holdfast_handoff_kept_packets_total: ['counter', '', 'Packets that came before their connection was there', m => m.kept],
  holdfast_handoff_unknown_packets_total: ['counter', '', 'Packets of connections that are not known', m => m.unknown],
  holdfast_handoff_entries: ['gauge', '', 'Connections that have an entry', m => m.connections],
  holdfast_handoff_out_packets_total: ['counter', '', 'Packets of the server to clients, changed in the kernel', m => m.outPackets],
  holdfast_handoff_out_bytes_total: ['counter', '', 'Bytes of these packets', m => m.outBytes],
  holdfast_handoff_in_packets_total: ['counter', '', 'Packets of clients to the server, changed in the kernel', m => m.inPackets],
  holdfast_handoff_in_bytes_total: ['counter', '', 'Bytes of these packets', m => m.inBytes],
}

function samplesOf<M>(rows: Rows<M>, metrics: M): MetricSample[] {
  return Object.entries(rows).flatMap(([name, [type, label, help, of]]) => {
    const value = of(metrics)
    if (typeof value === 'number') return [{ name, type, help, labels: {}, value }]
    return Object.entries(value).map(([word, count]) => ({ name, type, help, labels: { [label]: word }, value: count }))
  })
}

function processSamples(): MetricSample[] {
  const { user, system } = process.cpuUsage()
  const gauge = (name: string, help: string, value: number, type: MetricType = 'gauge'): MetricSample => ({ name, type, help, labels: {}, value })
  return [
    gauge('process_resident_memory_bytes', 'Resident memory', process.memoryUsage.rss()),
    gauge('process_cpu_seconds_total', 'Processor time, user and system', (user + system) / 1e6, 'counter'),
    gauge('process_start_time_seconds', 'When it was started, in seconds since 1970', performance.timeOrigin / 1000),
  ]
}

/** Of a director. */
export const directorSamples = (metrics: DirectorMetrics): MetricSample[] => [
  ...samplesOf<DirectorMetrics>(ofBoth as Rows<DirectorMetrics>, metrics),
  ...samplesOf(ofDirector, metrics),
  ...processSamples(),
]

/** Of a server agent. */
export const serverAgentSamples = (metrics: ServerAgentMetrics): MetricSample[] => [
  ...samplesOf<ServerAgentMetrics>(ofBoth as Rows<ServerAgentMetrics>, metrics),
  ...samplesOf(ofServerAgent, metrics),
  ...processSamples(),
]
