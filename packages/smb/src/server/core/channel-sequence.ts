/**
 * After the failure of a channel a client counts its ChannelSequence up and sends what was not answered again: what still comes of the
 * old channel must not change a file any more, and nothing is done twice at the same time (MS-SMB2 3.3.5.2.10, 3.3.4.1).
 */
import { Command, HeaderFlags } from '../../messages/constants.ts'
import { NtStatus } from '../../messages/nt-status.ts'

/** Open.ChannelSequence and the two counts of an open (3.3.1.10). */
export class OpenChannelState {
  sequence = 0
  /** Requests under way with the current sequence. */
  outstanding = 0
  /** Requests under way with an older one. */
  outstandingBefore = 0
}

/** What is verified of a request. */
export interface SequencedRequest {
  readonly command: number
  readonly flags: number
  readonly channelSequence: number
}

/** Requests that change something and may come twice. */
const modifying: ReadonlySet<number> = new Set([Command.write, Command.setInfo, Command.ioctl])

/** A 16-bit number that is at most this much ahead is newer; else it is older. */
const farthestAhead = 0x7fff

/** Counts a request in; returns FILE_NOT_AVAILABLE, with nothing counted, where it must not be carried out. */
export function enter(state: OpenChannelState, request: SequencedRequest): number {
  const ahead = (request.channelSequence - state.sequence) & 0xffff
  if (ahead > farthestAhead) {
    if (modifying.has(request.command)) return NtStatus.FILE_NOT_AVAILABLE
    state.outstandingBefore++
    return NtStatus.SUCCESS
  }
  if (ahead > 0) {
    state.outstandingBefore += state.outstanding
    state.outstanding = 0
    state.sequence = request.channelSequence
  }
  const isReplay = (request.flags & HeaderFlags.replayOperation) !== 0
  if (isReplay && state.outstandingBefore > 0 && modifying.has(request.command)) return NtStatus.FILE_NOT_AVAILABLE
  state.outstanding++
  return NtStatus.SUCCESS
}

/** Counts a request out that was counted in. */
export function leave(state: OpenChannelState, channelSequence: number): void {
  if (channelSequence === state.sequence) state.outstanding--
  else state.outstandingBefore--
}
