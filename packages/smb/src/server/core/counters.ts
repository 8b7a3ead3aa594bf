/** What /metrics shows of the SMB server. */
import type { Counter, Counters, Histogram, WorkerNode } from '@holdfast/engine'
import { boundedLabel, durationBounds } from '@holdfast/engine/metrics'
import { Command, commandName } from '../../messages/constants.ts'
import { NtStatus, ntStatusName } from '../../messages/nt-status.ts'

const commandsKnown = 0x13

/** Statuses that /metrics names; the rest is `other`. */
const namedStatuses: readonly number[] = [
  NtStatus.SUCCESS,
  NtStatus.BUFFER_OVERFLOW,
  NtStatus.NO_MORE_FILES,
  NtStatus.NO_SUCH_FILE,
  NtStatus.END_OF_FILE,
  NtStatus.MORE_PROCESSING_REQUIRED,
  NtStatus.OBJECT_NAME_NOT_FOUND,
  NtStatus.OBJECT_NAME_COLLISION,
  NtStatus.ACCESS_DENIED,
  NtStatus.SHARING_VIOLATION,
  NtStatus.LOGON_FAILURE,
  NtStatus.INVALID_PARAMETER,
  NtStatus.DISK_FULL,
  NtStatus.INSUFFICIENT_RESOURCES,
  NtStatus.INTERNAL_ERROR,
]
const statusIndices = new Map(namedStatuses.map((status, index) => [status, index]))
const statusesKnown = namedStatuses.length + 1
const nameOfStatus = (index: number): string => (index < namedStatuses.length ? ntStatusName(namedStatuses[index]) : 'other')
const nameOfCommand = (index: number): string => (index >= commandsKnown ? 'unknown' : commandName(index))

/** Bytes of files that went over a share. */
export interface ShareTraffic {
  readonly read: Counter
  readonly written: Counter
}

/** Shares that have a name in /metrics; the rest, as they are met, is `other`. */
const namedShares = 100

export class RequestCounters {
  readonly bytesSent: Counter
  readonly bytesReceived: Counter
  readonly #counters: Counters
  /** By command and status. */
  readonly #requests: (Counter | undefined)[] = []
  /** By command. */
  readonly #durations: (Histogram | undefined)[] = []
  readonly #shareLabel = boundedLabel(namedShares)

  constructor({ counters }: WorkerNode) {
    this.#counters = counters
    this.bytesSent = counters.counter('holdfast_smb_sent_bytes_total', 'Bytes of SMB2 messages sent')
    this.bytesReceived = counters.counter('holdfast_smb_received_bytes_total', 'Bytes of SMB2 messages received')
  }

  /** A request was answered, `seconds` after it came to the worker. */
  count(command: number, status: number, seconds: number): void {
    const known = Math.min(command, commandsKnown)
    const index = known * statusesKnown + (status === NtStatus.SUCCESS ? 0 : (statusIndices.get(status >>> 0) ?? namedStatuses.length))
    const counter = this.#requests[index] ?? this.#makeCounter(index)
    counter.add(1)
    const duration = this.#durations[known] ?? this.#makeDuration(known)
    duration.observe(seconds)
  }

  /** What READ and WRITE count of a share. */
  trafficOf(name: string): ShareTraffic {
    const labels = { share: this.#shareLabel(name) }
    return {
      read: this.#counters.counter('holdfast_smb_read_bytes_total', 'Bytes of files that READ has answered with', labels),
      written: this.#counters.counter('holdfast_smb_written_bytes_total', 'Bytes of files that WRITE has brought', labels),
    }
  }

  #makeCounter(index: number): Counter {
    const labels = { command: nameOfCommand(Math.floor(index / statusesKnown)), status: nameOfStatus(index % statusesKnown) }
    return (this.#requests[index] = this.#counters.counter('holdfast_smb_requests_total', 'SMB2 requests answered', labels))
  }

  #makeDuration(command: number): Histogram {
    const help = 'Time from the arrival of an SMB2 request at its worker to its answer; of changeNotify and lock: with what they wait for'
    const labels = { command: nameOfCommand(command) }
    return (this.#durations[command] = this.#counters.histogram('holdfast_smb_request_duration_seconds', help, durationBounds, labels))
  }
}

/** Counts what a request has moved, `bytes` of a file's content. */
export function countTransfer(traffic: ShareTraffic, command: number, bytes: number): void {
  if (command === Command.read) traffic.read.add(bytes)
  else if (command === Command.write) traffic.written.add(bytes)
}

export interface Gauges {
  readonly connections: Counter
  readonly sessions: Counter
  readonly trees: Counter
  readonly opens: Counter
  readonly authenticationFailures: Counter
  readonly interimResponses: Counter
}

export const gaugesOf = ({ counters }: WorkerNode): Gauges => ({
  connections: counters.gauge('holdfast_smb_connections', 'SMB connections'),
  sessions: counters.gauge('holdfast_smb_sessions', 'SMB sessions'),
  trees: counters.gauge('holdfast_smb_tree_connects', 'Connections of sessions to shares'),
  opens: counters.gauge('holdfast_smb_open_handles', 'Handles that sessions have open on files, folders and pipes'),
  authenticationFailures: counters.counter('holdfast_smb_authentication_failures_total', 'Authentications that failed'),
  interimResponses: counters.counter('holdfast_smb_interim_responses_total', 'Requests answered STATUS_PENDING first'),
})
