/** When a connection is over: its entries are looked at now and then, and are the only ones to know. */

import { AgentEntry, AgentState } from '../bpf/entries.ts'
import { offsetsOf } from '../bpf/offsets.ts'
import { lingerMs } from '../bpf/programs/pair.ts'
import { TcpFlag } from '../transform/packet.ts'
import type { Connection } from './connections.ts'
import type { LifeCycleEvent } from './life-cycle.ts'

/** A new connection is looked at after this: most are short, and over by then for longer than they linger, so that once is enough. */
export const firstCheckMs = 1250
/** One that lives is looked at that often. */
export const checkMs = 2000
/** Deadlines are multiples of this, so that there are few different ones. */
const stepMs = 250

const at = offsetsOf(AgentEntry)

/** What the entries of a connection say. */
export interface Activity {
  /** Flags of both directions' packets. */
  readonly outFlags: number
  readonly inFlags: number
  /** When the last packet came, in ms of CLOCK_MONOTONIC. */
  readonly lastMs: number
  /** The program lets the server's packets pass: see `AgentState`. */
  readonly isDead: boolean
}

/** When the last packet came of the direction whose entry this is, in ms of CLOCK_MONOTONIC. */
export const lastMsOf = (entry: Buffer): number => entry.readUInt32LE(at.lastNs) / 1e6 + entry.readUInt32LE(at.lastNs + 4) * (2 ** 32 / 1e6)

/** Reads it of both entries, and of what was injected past them. */
export const activityOf = (connection: Connection, out: Buffer, incoming: Buffer): Activity => ({
  outFlags: out.readUInt32LE(at.flagsSeen),
  inFlags: incoming.readUInt32LE(at.flagsSeen) | connection.injectedFlags,
  lastMs: Math.max(lastMsOf(out), lastMsOf(incoming), connection.injectedMs),
  isDead: out[at.state] === AgentState.dead,
})

const isOver = ({ outFlags, inFlags }: Activity): boolean => ((outFlags | inFlags) & TcpFlag.rst) !== 0 || (outFlags & inFlags & TcpFlag.fin) !== 0

/** What has happened to a connection by now, whose entries are there; undefined: nothing. */
export function eventOf(activity: Activity, nowMs: number, idleMs: number): LifeCycleEvent | undefined {
  if (activity.isDead) return 'taken'
  if (isOver(activity)) return 'ended'
  return nowMs - activity.lastMs >= idleMs ? 'idle' : undefined
}

/** When it is looked at again. */
export function nextCheckMs(activity: Activity, nowMs: number, idleMs: number): number {
  const dueMs = activity.lastMs + (isOver(activity) ? lingerMs : idleMs) - nowMs
  return Math.min(checkMs, Math.max(1, Math.ceil(dueMs / stepMs)) * stepMs)
}
