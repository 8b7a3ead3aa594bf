/** What /metrics shows of the SMB server. */
import type { Counter, WorkerNode } from '@holdfast/engine'
import { commandName } from '../../messages/constants.ts'

const classes = ['success', 'information', 'warning', 'error'] as const
const commandsKnown = 0x13

export class RequestCounters {
  readonly bytesSent: Counter
  readonly bytesReceived: Counter
  readonly #node: WorkerNode
  /** By command and severity of the status (MS-ERREF 2.3: bits 31 and 30). */
  readonly #requests: (Counter | undefined)[] = []

  constructor(node: WorkerNode) {
    this.#node = node
    this.bytesSent = node.counters.counter('holdfast_smb_sent_bytes_total', 'Bytes of SMB2 messages sent')
    this.bytesReceived = node.counters.counter('holdfast_smb_received_bytes_total', 'Bytes of SMB2 messages received')
  }

  count(command: number, status: number): void {
    const index = Math.min(command, commandsKnown) * 4 + (status >>> 30)
    const counter = this.#requests[index] ?? (this.#requests[index] = this.#make(index))
    counter.add(1)
  }

  #make(index: number): Counter {
    const command = index >> 2
    return this.#node.counters.counter('holdfast_smb_requests_total', 'SMB2 requests answered', {
      command: command >= commandsKnown ? 'unknown' : commandName(command),
      status: classes[index & 3],
    })
  }
}

export interface Gauges {
  readonly connections: Counter
  readonly sessions: Counter
  readonly trees: Counter
  readonly authenticationFailures: Counter
  readonly interimResponses: Counter
}

export const gaugesOf = ({ counters }: WorkerNode): Gauges => ({
  connections: counters.gauge('holdfast_smb_connections', 'SMB connections'),
  sessions: counters.gauge('holdfast_smb_sessions', 'SMB sessions'),
  trees: counters.gauge('holdfast_smb_tree_connects', 'Connections of sessions to shares'),
  authenticationFailures: counters.counter('holdfast_smb_authentication_failures_total', 'Authentications that failed'),
  interimResponses: counters.counter('holdfast_smb_interim_responses_total', 'Requests answered STATUS_PENDING first'),
})
