/** Break notifications reach the client on whatever channel is alive (MS-SMB2 3.3.4.6, 3.3.4.7). */
import type { Timers } from './config.ts'

/** A channel as the delivery needs it. */
export interface BreakChannel {
  /** False: it is gone, or none yet. */
  send(): boolean
  /** The connection is gone, or the client's machine has not acknowledged what it was sent for that long. */
  isSilent(silentMs: number): boolean
  close(): void
}

/** After this a channel on which nothing is acknowledged is taken for dead, for this purpose: TCP has sent it again three times. */
export const silentAfterMs = 1500
/** After this, and on no channel, the client's machine is: whoever waits for it goes on. */
export const deadAfterMs = 10_000

/**
 * Sends on the first channel that takes it; on the next ones, one after the other, as long as the client's machine does not acknowledge it and
 * `isDue` says that it still matters. Channels that stay silent are closed when there is none left to try. False when no channel took it.
 */
export function deliverBreak(channels: Iterable<BreakChannel>, isDue: () => boolean, timers: Timers): boolean {
  const left = channels[Symbol.iterator]()
  const tried: BreakChannel[] = []
  const sendNext = (): boolean => {
    for (let next = left.next(); next.done !== true; next = left.next()) {
      const channel = next.value
      if (!channel.send()) continue
      tried.push(channel)
      timers.set(() => {
        if (isDue() && channel.isSilent(silentAfterMs) && !sendNext()) timers.set(giveUp, deadAfterMs)
      }, silentAfterMs)
      return true
    }
    return false
  }
  const giveUp = (): void => {
    if (isDue() && tried.every(channel => channel.isSilent(deadAfterMs))) for (const channel of tried) channel.close()
  }
  return sendNext()
}
