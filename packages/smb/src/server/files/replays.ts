/** CREATE requests that a client sends again because it does not know whether they were carried out (MS-SMB2 3.3.5.9.10). */
import { HeaderFlags, OplockLevel } from '../../messages/constants.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { StatusError } from '../core/handler-api.ts'
import type { RequestContext } from '../core/handler-api.ts'
import type { Created } from './create.ts'
import type { CreatePlan } from './create-request.ts'

/** A CREATE under way, or one whose open has not been used yet (Open.IsReplayEligible). */
interface Entry {
  created: Created | undefined
}

/** A share's creates that may be replayed, on the worker where all connections of a client are. */
export class Replays {
  readonly #entries = new Map<string, Entry>()

  /**
   * Enters a CREATE with a CreateGuid. Undefined: it is new, and `finished` or `failed` is to follow; else what the first one made. Throws
   * StatusError DUPLICATE_OBJECTID for what is not marked as a replay, FILE_NOT_AVAILABLE while the first one is under way.
   */
  begin(request: RequestContext, createGuid: string): Created | undefined {
    const key = keyOf(request.connection.clientGuid, createGuid)
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      this.#entries.set(key, { created: undefined })
      return undefined
    }
    if (!isReplay(request)) throw new StatusError(NtStatus.DUPLICATE_OBJECTID)
    if (entry.created === undefined) throw new StatusError(NtStatus.FILE_NOT_AVAILABLE)
    return entry.created
  }

  finished(clientGuid: string, createGuid: string, created: Created): void {
    const key = keyOf(clientGuid, createGuid)
    const entry: Entry = { created }
    this.#entries.set(key, entry)
    // The first request that uses the open ends that, as does its end.
    created.open.onUse(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
    })
  }

  failed(clientGuid: string, createGuid: string): void {
    this.#entries.delete(keyOf(clientGuid, createGuid))
  }
}

const keyOf = (clientGuid: string, createGuid: string): string => `${clientGuid}/${createGuid}`

/** The client says so, or the worker that had it first has died. */
export const isReplay = ({ flags, orphaned }: RequestContext): boolean => orphaned || (flags & HeaderFlags.replayOperation) !== 0

/** What a replay hears of the open that the first request has made. */
export function answerToReplay(request: RequestContext, plan: CreatePlan, created: Created): Created {
  const { open } = created
  // It belongs to a session whose connection is not known to be lost yet: the client is to try again.
  if (open.tree.session !== request.session) throw new StatusError(NtStatus.FILE_NOT_AVAILABLE)
  const { lease } = open.grant
  if (lease?.key !== plan.lease?.key) throw new StatusError(NtStatus.ACCESS_DENIED)
  if (lease === undefined) {
    // As asked now, whatever the open has: so Windows answers.
    const { oplockLevel } = plan
    const persistent = open.grant.persistent === true
    return {
      ...created,
      granted: { oplockLevel, persistent, durable: open.grant.durable === true && (persistent || oplockLevel === OplockLevel.batch) },
    }
  }
  const now = open.files.opens.cachingOf(open.grant)
  const current = now === undefined ? lease : { ...lease, state: now.state, epoch: now.epoch, breakInProgress: now.breakingTo !== undefined }
  return {
    ...created,
    granted: { oplockLevel: OplockLevel.lease, lease: current, durable: open.grant.durable === true, persistent: open.grant.persistent === true },
  }
}
