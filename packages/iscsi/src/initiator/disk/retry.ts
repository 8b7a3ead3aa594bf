/** Which statuses are answered by trying once more (SAM-5 5.3.1, SPC-4 4.5): a table, and the loop that uses it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AdditionalSense, SenseKey } from '../../scsi/additional-sense.ts'
import type { Sense } from '../../scsi/sense.ts'
import { Status } from '../../scsi/status.ts'
import type { CommandResult } from '../task.ts'
import { senseOf } from './scsi-error.ts'

/** How to try again. */
interface Retry {
  readonly why: string
  readonly matches: (status: number, sense: Sense | undefined) => boolean
  /** How often at most. */
  readonly times: number
  /** The command may have been carried out: only one that may be repeated is tried again. */
  readonly isUncertain?: true
  /** Pause before the first time in ms; twice as long each time. */
  readonly pauseMs: number
}

const longestPauseMs = 1000
const becomingReady: ReadonlySet<number> = new Set([
  AdditionalSense['LOGICAL UNIT IS IN PROCESS OF BECOMING READY'],
  AdditionalSense['LOGICAL UNIT NOT ACCESSIBLE, ASYMMETRIC ACCESS STATE TRANSITION'],
])

/** The first row that matches counts. The command was not carried out in any of these cases, where nothing else is said. */
const retries: readonly Retry[] = [
  // Each condition is told once, and several may be waiting (SAM-5 5.14).
  { why: 'unit attention', matches: (_, sense) => sense?.key === SenseKey['UNIT ATTENTION'], times: 16, pauseMs: 0 },
  { why: 'busy', matches: status => status === Status.busy, times: 30, pauseMs: 20 },
  { why: 'task set full', matches: status => status === Status.taskSetFull, times: 100, pauseMs: 1 },
  { why: 'becoming ready', matches: (_, sense) => sense?.key === SenseKey['NOT READY'] && becomingReady.has(sense.code), times: 30, pauseMs: 50 },
  { why: 'aborted command', matches: (_, sense) => sense?.key === SenseKey['ABORTED COMMAND'], times: 5, pauseMs: 10, isUncertain: true },
]

/** What happens beside. */
export interface RetryOptions {
  /** Whether the command may be carried out once more although it may have been already. Default true. */
  readonly isRepeatable?: boolean
  readonly signal?: AbortSignal | undefined
  /** Told of each unit attention. */
  readonly onUnitAttention?: (sense: Sense) => void
}

/** Carries a command out until it ends in a way that trying again does not change. */
export async function withRetries(
  attempt: () => Promise<CommandResult>,
  { isRepeatable = true, signal, onUnitAttention }: RetryOptions = {},
): Promise<CommandResult> {
  const tried = new Map<Retry, number>()
  for (;;) {
    const result = await attempt()
    if (result.status === Status.good) return result
    const sense = senseOf(result.sense)
    if (sense?.key === SenseKey['UNIT ATTENTION']) onUnitAttention?.(sense)
    const retry = retries.find(({ matches }) => matches(result.status, sense))
    const times = retry === undefined ? 0 : (tried.get(retry) ?? 0)
    if (retry === undefined || times >= retry.times || (retry.isUncertain === true && !isRepeatable)) return result
    tried.set(retry, times + 1)
    if (retry.pauseMs > 0) await sleep(Math.min(longestPauseMs, retry.pauseMs * 2 ** Math.min(times, 10)), undefined, { signal })
  }
}
