/** Opens that outlive their connection: parked, found again, given up (MS-SMB2 3.3.7.1, 3.3.5.9.7, 3.3.5.9.12, 3.3.6.2). */
import { leaseGrant } from './arbitration.ts'
import { oplockLevel } from './caching-states.ts'
import { noWorker, type Caching, type Open } from './entities.ts'
import { foldPath } from './paths.ts'
import { recordOf } from './records.ts'
import type { Scheduler } from './scheduler.ts'
import {
  leaseStates,
  oplockLevels,
  type OpenGrant,
  type OpenRequest,
  type OpenStatus,
  type ReconnectRequest,
  type ReconnectResult,
  type ResiliencyRequest,
  type DurableRequest,
  type Reconnected,
  type SessionReference,
  type Claim,
  type Seat,
} from './types.ts'

/** What the open table does for its durable opens. */
export interface DurableHost {
  readonly scheduler: Scheduler
  /** Milliseconds since 1970. */
  wallClock(): number
  open(openId: bigint): Open | undefined
  /** Closes an open that nobody serves, and removes its file where it was the last of one that is to be deleted. */
  give(open: Open): void
  /** Ends a break as if it had been acknowledged with none. */
  forfeit(caching: Caching): void
  /** Tells the client of a break that nobody could be told of. */
  remind(caching: Caching): void
  /** The worker that keeps the file of an open needs it no more. */
  letGo(worker: number, openId: bigint): void
}

/** What tells a CREATE from all others. */
interface CreateIdentity {
  readonly clientGuid: string
  readonly createGuid?: string | undefined
}

/** An open keeps being durable only while nobody can have changed what its client has cached (MS-SMB2 3.3.7.1). */
const keepsItsPlace = (open: Open): boolean => {
  const { durable, caching } = open
  if (durable === undefined) return false
  if (durable.persistent || durable.resilient === true) return true
  // What is to be deleted goes now: others wait for the name.
  if (open.isGoing) return false
  // Who is asked to give something up, and is gone, gives up all (MS-SMB2 3.3.4.6, 3.3.4.7).
  if (caching?.phase !== 'held') return false
  // Nobody else knows of its locks' bytes only while it may cache writes; Windows gives up the others.
  if ((caching.state & leaseStates.write) === 0 && open.stream.locks.held.some(({ openId }) => openId === open.id)) return false
  return caching.kind === 'lease' ? (caching.state & leaseStates.handle) !== 0 : oplockLevel(caching.state) === oplockLevels.batch
}

/** Opens of a share that may wait for their clients at a time: each costs a file descriptor, and a peer can leave as many as it likes. */
export const mostParked = 32_768

/** However long an open has waited already, its client gets this long after a restart. */
const leastPatienceMs = 10_000

const noGuid = '0'.repeat(32)

/** By its name, or the one it had (or was to have) when its client last heard of it. */
const isKnownAs = ({ path, otherPath }: Open, name: string): boolean =>
  [path, otherPath].some(each => each !== undefined && foldPath(each) === foldPath(name))

/** Reasons not to give an open to who asks for it, in the order of MS-SMB2 3.3.5.9.7 and 3.3.5.9.12. */
const refusals: readonly (readonly [(open: Open, ask: ReconnectRequest) => boolean, Exclude<OpenStatus, 'SUCCESS'>])[] = [
  [open => open.durable === undefined || open.worker !== noWorker, 'OBJECT_NAME_NOT_FOUND'],
  [({ caching, clientGuid }, ask) => caching?.kind === 'lease' && clientGuid !== ask.clientGuid, 'OBJECT_NAME_NOT_FOUND'],
  // Either version of the context finds an open of either version; one of version 1 has no CreateGuid.
  [({ durable }, ask) => ask.version === 2 && durable!.persistent && !ask.persistent, 'OBJECT_NAME_NOT_FOUND'],
  [({ durable }, ask) => ask.version === 2 && !durable!.persistent && ask.persistent, 'INVALID_PARAMETER'],
  [({ createGuid = noGuid }, ask) => ask.version === 2 && createGuid !== ask.createGuid, 'OBJECT_NAME_NOT_FOUND'],
  [({ caching }, ask) => (caching?.kind === 'lease' ? caching.key : undefined) !== ask.leaseKey, 'OBJECT_NAME_NOT_FOUND'],
  [({ durable }, ask) => durable!.owner !== ask.owner, 'ACCESS_DENIED'],
  [(open, ask) => open.caching?.kind === 'lease' && !open.deleteOnClose && !isKnownAs(open, ask.path), 'INVALID_PARAMETER'],
]

export class DurableOpens {
  readonly #host: DurableHost
  readonly #byCreateGuid = new Map<string, Open>()
  /** Opens that wait for their clients, and what stops the end of that. */
  readonly #timers = new Map<Open, () => void>()

  constructor(host: DurableHost) {
    this.#host = host
  }

  /** Makes a new open durable where that was asked and can be (MS-SMB2 3.3.5.9.6, 3.3.5.9.10). */
  granted(open: Open, request: OpenRequest, grant: OpenGrant): OpenGrant {
    if (request.durable === undefined || request.isFolder) return grant
    open.durable = request.durable
    if (keepsItsPlace(open)) return { ...grant, durable: true, persistent: request.durable.persistent, timeoutMs: request.durable.timeoutMs }
    open.durable = undefined
    return grant
  }

  /** The open that the same CREATE has made, if that waits for its client and has not been used. */
  ofCreate(request: CreateIdentity): Open | undefined {
    return request.createGuid === undefined ? undefined : this.#byCreateGuid.get(createKey(request))
  }

  /** FSCTL_LMR_REQUEST_RESILIENCY: what a persistent open has is more (MS-SMB2 3.3.5.15.9). */
  makeResilient(open: Open, request: ResiliencyRequest): DurableRequest {
    const { version, persistent, face } = open.durable ?? { version: 1, persistent: false, face: request.face }
    open.durable = { ...request, version, persistent, face, resilient: true }
    return open.durable
  }

  /** Another client of the SMB 3.x family gets at nothing that waits for its client after a failure (MS-SMB2 3.3.5.9). */
  isReserved({ respectsPersistent, clientGuid }: OpenRequest, opens: Iterable<Open>): boolean {
    if (respectsPersistent !== true) return false
    // The specification makes no difference between clients. Linux opens a file anew while it has not come back to all that it had open before.
    for (const open of opens) if (open.worker === noWorker && open.durable?.persistent === true && open.clientGuid !== clientGuid) return true
    return false
  }

  /** The connection of an open is gone. False: it does not outlive that, and is to be closed. */
  park(open: Open, keeper: number, isReplayEligible: boolean): boolean {
    if (!keepsItsPlace(open) || (this.#timers.size >= mostParked && open.durable?.persistent !== true)) return false
    open.worker = noWorker
    open.keeper = keeper
    if (open.createGuid !== undefined && isReplayEligible) this.#byCreateGuid.set(createKey(open), open)
    const stop = this.#host.scheduler.after(this.#patience(open), () => this.#host.give(open))
    this.#timers.set(open, stop)
    return true
  }

  /** What is left of the time that was promised: restarts do not begin it anew, but its client can come back after each. */
  #patience(open: Open): number {
    const { timeoutMs } = open.durable!
    const now = this.#host.wallClock()
    open.parkedAt ??= now
    return Math.max(timeoutMs - Math.max(0, now - open.parkedAt), Math.min(timeoutMs, leastPatienceMs))
  }

  /** A client comes back. */
  reconnect(worker: number, ask: ReconnectRequest): ReconnectResult {
    const open = ask.openId === undefined ? this.ofCreate(ask) : (this.#host.open(ask.openId) ?? this.#persistentOfCreate(ask))
    if (open === undefined) return { status: 'OBJECT_NAME_NOT_FOUND' }
    for (const [applies, status] of refusals) if (applies(open, ask)) return { status }
    this.serve(open, worker)
    // FileId.Volatile stays what it was: Linux (since 6.8) sends some requests again with the FileId of before.
    if (ask.seat !== undefined) open.durable = { ...open.durable!, seat: { ...ask.seat, ...pickVolatileId(open.durable!) } }
    if (open.caching?.phase === 'breaking') this.#host.remind(open.caching)
    return reconnected(open)
  }

  /** Whether a persistent open waits for this client, or is just on its way to this session. */
  awaits({ openId, clientGuid, owner, session }: Claim): boolean {
    const open = this.#host.open(openId)
    if (open?.durable?.persistent !== true) return false
    if (open.worker !== noWorker) return open.durable.seat?.session === session
    return open.clientGuid === clientGuid && open.durable.owner === owner
  }

  /** Of a persistent open its client may know no more than how it asked for it (MS-SMB2 3.3.5.9.12). */
  #persistentOfCreate({ persistent, clientGuid, createGuid }: ReconnectRequest): Open | undefined {
    if (!persistent || createGuid === undefined) return undefined
    for (const open of this.#timers.keys()) if (open.createGuid === createGuid && open.clientGuid === clientGuid) return open
    return undefined
  }

  /** The opens of a session whose worker has died: its successor serves them. */
  takeOver(worker: number, session: SessionReference): Reconnected[] {
    const taken: Reconnected[] = []
    for (const open of Array.from(this.#timers.keys())) {
      if (open.durable?.seat?.session !== session.id || open.clientGuid !== session.clientGuid) continue
      this.serve(open, worker)
      if (open.caching?.phase === 'breaking') this.#host.remind(open.caching)
      taken.push(reconnected(open))
    }
    return taken
  }

  /** An open that waited is served by a worker again. */
  serve(open: Open, worker: number): void {
    this.#unpark(open)
    if (open.keeper !== worker && open.keeper !== noWorker) this.#host.letGo(open.keeper, open.id)
    open.worker = worker
    open.keeper = noWorker
    open.parkedAt = undefined
  }

  /**
   * Nobody can be told of a break (MS-SMB2 3.3.4.6, 3.3.4.7): opens that are neither resilient nor persistent give way; of the others oplocks are
   * given up, and leases of persistent ones wait for their client. True where that changed anything.
   */
  giveWay(caching: Caching): boolean {
    let changed = false
    for (const open of Array.from(caching.opens)) {
      if (open.worker !== noWorker || open.durable?.persistent === true || open.durable?.resilient === true) continue
      this.#host.give(open)
      changed = true
    }
    const left = [...caching.opens]
    if (caching.phase !== 'breaking' || left.length === 0 || left.some(({ worker }) => worker !== noWorker)) return changed
    if (caching.kind === 'lease' && left.some(({ durable }) => durable?.persistent === true)) return changed
    this.#host.forfeit(caching)
    return true
  }

  /** It is closed, whoever did that. */
  closed(open: Open): void {
    this.#unpark(open)
    if (open.worker === noWorker && open.keeper !== noWorker) this.#host.letGo(open.keeper, open.id)
  }

  /** A worker died: nobody keeps the files of opens that waited there. */
  forgetKeeper(worker: number): void {
    for (const open of this.#timers.keys()) if (open.keeper === worker) open.keeper = noWorker
  }

  #unpark(open: Open): void {
    this.#timers.get(open)?.()
    this.#timers.delete(open)
    if (this.ofCreate(open) === open) this.#byCreateGuid.delete(createKey(open))
  }
}

const pickVolatileId = ({ seat }: DurableRequest): Partial<Pick<Seat, 'volatileId'>> => (seat === undefined ? {} : { volatileId: seat.volatileId })

const reconnected = (open: Open): Reconnected => ({ ...grantOf(open), record: recordOf(open) })

const createKey = ({ clientGuid, createGuid }: CreateIdentity): string => `${clientGuid}/${createGuid ?? ''}`

/** An open as a CREATE response tells it. */
const grantOf = ({ id, caching, durable }: Open): OpenGrant => {
  const grant = {
    status: 'SUCCESS',
    openId: id,
    durable: true,
    persistent: durable?.persistent === true,
    timeoutMs: durable?.timeoutMs ?? 0,
  } as const
  if (caching === undefined) return { ...grant, oplockLevel: oplockLevels.none }
  if (caching.kind === 'oplock') return { ...grant, oplockLevel: oplockLevel(caching.state) }
  return { ...grant, oplockLevel: oplockLevels.lease, lease: leaseGrant(caching) }
}
