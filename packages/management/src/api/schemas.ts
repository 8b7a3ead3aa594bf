/**
 * What goes over the management API, as schemas: requests are validated by them, `/openapi.json` is made of them, and the types of the server,
 * of the client and of the console are theirs. Names are those of the JSON; sizes are in bytes, times in ISO 8601 (UTC).
 */

import { z } from 'zod'
import { nameLimits, shareNamePattern, snapshotNamePattern, userNamePattern, volumeNamePattern } from './names.ts'

const named = (pattern: RegExp, allowed: string): z.ZodString => z.string().regex(pattern, { error: `allowed: ${allowed}` })
const volumeName = named(volumeNamePattern, nameLimits.volume)
const snapshotName = named(snapshotNamePattern, nameLimits.volume)
const shareName = named(shareNamePattern, nameLimits.share)
const userName = named(userNamePattern, nameLimits.user)
const time = z.iso.datetime()
const bytes = z.number().int().nonnegative()
const count = z.number().int().nonnegative()
const words = z.array(z.string().min(1).max(300)).max(100)

/** `10GiB`, or a number of bytes. */
const size = z
  .union([z.string().max(40), z.number().int().positive()])
  .meta({ description: 'A size such as 10GiB, or a number of bytes', examples: ['10GiB', 10737418240] })

/** RFC 9457. `code` is stable: scripts go by it. `errors` names each field that is not as it should be. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string(),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
    operation: z.string().optional(),
  })
  .meta({ id: 'Problem' })

/** What people may do: `user` uses storage only, `viewer` may look, `admin` may change things. */
export const Role = z.enum(['user', 'viewer', 'admin']).meta({ id: 'Role' })

/** Name and password. With `cookie` the session is kept in a cookie, which a page cannot read. */
export const LoginRequest = z
  .strictObject({ user: z.string().min(1).max(64), password: z.string().max(256), cookie: z.boolean().optional() })
  .meta({ id: 'LoginRequest' })
/** `token` is left out where the session is in a cookie; `csrf` goes into the header `X-CSRF-Token` of what changes something then. */
export const Login = z
  .object({ token: z.string().optional(), csrf: z.string().optional(), session: z.string(), user: z.string(), role: Role, expires: time })
  .meta({ id: 'Login' })
/** The session of whoever asks. */
export const OwnSession = Login.omit({ token: true }).meta({ id: 'OwnSession' })

/** See `operations/states.ts` for what follows what. */
export const OperationState = z.enum(['queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled']).meta({ id: 'OperationState' })

/** Something that takes time, from the receipt to its outcome and after. */
export const Operation = z
  .object({
    id: z.string(),
    /** What is done, such as `volume.create`. */
    kind: z.string(),
    /** What it is done to: a path of this API, such as `/v1/volumes/disk1`. */
    target: z.string(),
    session: z.string(),
    user: z.string(),
    /** What was asked for, without secrets. */
    request: z.unknown(),
    state: OperationState,
    /** 0 to 100. */
    percent: z.number().min(0).max(100),
    /** What it is at, for people. */
    note: z.string().optional(),
    result: z.unknown().optional(),
    problem: Problem.optional(),
    /** What became of it when the process that ran it died. */
    recovery: z.enum(['resumed', 'rolled-back']).optional(),
    createdAt: time,
    startedAt: time.optional(),
    endedAt: time.optional(),
  })
  .meta({ id: 'Operation' })

/** The answer to whatever takes time, before it is done. The outcome comes on the session's event stream. */
export const Receipt = z.object({ received: z.literal(true), operation: z.string() }).meta({ id: 'Receipt' })

/** `data` of an event named `operation`. `id` is the event's: the epoch of the session's log, and a number that grows. */
export const OperationEvent = z
  .object({
    id: z.string(),
    operation: z.string(),
    kind: z.string(),
    target: z.string(),
    request: z.unknown(),
    state: OperationState,
    percent: z.number(),
    note: z.string().optional(),
    result: z.unknown().optional(),
    problem: Problem.optional(),
    recovery: z.enum(['resumed', 'rolled-back']).optional(),
    at: time,
  })
  .meta({ id: 'OperationEvent' })
/** `data` of an event named `resync`: what lies between is gone. The state of each operation of the session follows, as events named `operation`. */
export const ResyncEvent = z.object({ id: z.string(), reason: z.enum(['too-old', 'unknown-epoch']) }).meta({ id: 'ResyncEvent' })
/** `data` of an event named `end`, after which the stream is closed: who asks again after `replaced` ends the stream that replaced it. It has no id. */
export const EndEvent = z.object({ reason: z.enum(['replaced', 'expired', 'logout', 'revoked', 'closed']) }).meta({ id: 'EndEvent' })

const snapshotView = z.object({ name: z.string(), sizeBytes: bytes, createdAt: time })
/** A state that a volume was in. */
export const Snapshot = snapshotView.meta({ id: 'Snapshot' })
/** Keeps a volume as it is now, under a name. */
export const SnapshotCreate = z.strictObject({ name: snapshotName }).meta({ id: 'SnapshotCreate' })

/** A block volume. */
export const Volume = z
  .object({
    name: z.string(),
    id: z.string(),
    /** Name of its iSCSI target; the volume is its LUN 0. */
    target: z.string(),
    sizeBytes: bytes,
    usedBytes: bytes.optional(),
    options: words,
    createdAt: time,
    snapshots: z.array(Snapshot),
    /** Why it is not served. */
    problem: z.string().optional(),
  })
  .meta({ id: 'Volume' })
/** A new volume: of a size, from a snapshot, or from an image; without a size, as large as what it is made from. */
export const VolumeCreate = z
  .strictObject({
    name: volumeName,
    size: size.optional(),
    options: words.optional(),
    /** `VOLUME@SNAPSHOT`: begins as that. */
    from: z.string().max(130).optional(),
    /** Absolute path, on the node, of a raw image to begin with. */
    image: z.string().max(4096).optional(),
  })
  .meta({ id: 'VolumeCreate' })
/** A larger size, or other options: all of them, not those to add. */
export const VolumeChange = z.strictObject({ size: size.optional(), options: words.optional() }).meta({ id: 'VolumeChange' })
/** Which pages of a volume have content: `pages` cells in order, each the share of its bytes that is allocated, 0 to 255, in base64. */
export const VolumeMap = z.object({ sizeBytes: bytes, cellBytes: bytes, cells: z.string() }).meta({ id: 'VolumeMap' })

/** A folder that is shared over SMB. */
export const Share = z
  .object({
    name: z.string(),
    path: z.string(),
    options: words,
    comment: z.string().optional(),
    /** `configuration`: the command line or the file says so, and has to be changed there. */
    origin: z.enum(['configuration', 'api']),
    sessions: count.optional(),
    opens: count.optional(),
    problem: z.string().optional(),
  })
  .meta({ id: 'Share' })
/** A new share. Options are the words of `--share`. */
export const ShareCreate = z
  .strictObject({ name: shareName, path: z.string().min(1).max(4096), options: words.optional(), comment: z.string().max(256).optional() })
  .meta({ id: 'ShareCreate' })
/** What is to change of a share. */
export const ShareChange = ShareCreate.omit({ name: true }).partial().meta({ id: 'ShareChange' })

/** Somebody who may log in. Nothing tells their password. */
export const User = z
  .object({
    name: z.string(),
    role: Role,
    disabled: z.boolean(),
    origin: z.enum(['configuration', 'api']).optional(),
    createdAt: time.optional(),
    /** Why they cannot log in over iSCSI. */
    chapProblem: z.string().optional(),
  })
  .meta({ id: 'User' })
const password = z.string().min(1).max(256).meta({ format: 'password', writeOnly: true })
/** A new user; `user` where no role is given. */
export const UserCreate = z.strictObject({ name: userName, password, role: Role.optional() }).meta({ id: 'UserCreate' })
/** What is to change of a user. */
export const UserChange = z
  .strictObject({ password: password.optional(), role: Role.optional(), disabled: z.boolean().optional() })
  .meta({ id: 'UserChange' })

/** A session of a client of the storage: SMB or iSCSI. */
export const ClientSession = z
  .object({
    id: z.string(),
    protocol: z.enum(['smb', 'iscsi']),
    user: z.string(),
    client: z.object({ address: z.string(), port: z.number().int(), name: z.string().optional() }),
    since: time,
    lastActive: time.optional(),
    /** `3.1.1`; of iSCSI the error recovery level and digests in words. */
    dialect: z.string(),
    signing: z.boolean(),
    encryption: z.boolean(),
    connections: count,
    opens: count,
    /** Names of shares, or of volumes. */
    uses: z.array(z.string()),
    bytesRead: bytes.optional(),
    bytesWritten: bytes.optional(),
  })
  .meta({ id: 'ClientSession' })

/** An open file. */
export const Open = z
  .object({
    id: z.string(),
    session: z.string().optional(),
    share: z.string(),
    path: z.string(),
    user: z.string(),
    access: z.string(),
    shareAccess: z.string(),
    since: time.optional(),
    /** The lease or oplock, in words such as `RWH`. */
    caching: z.string().optional(),
    locks: count,
    durability: z.enum(['none', 'durable', 'resilient', 'persistent']),
    /** Its client is gone and may come back. */
    waiting: z.boolean(),
    deleteOnClose: z.boolean(),
  })
  .meta({ id: 'Open' })

/** Who did what, when, from where, and what became of it. */
export const AuditEntry = z
  .object({
    id: z.string(),
    at: time,
    user: z.string(),
    session: z.string().optional(),
    address: z.string(),
    /** Such as `login`, `volume.create`. */
    action: z.string(),
    target: z.string(),
    /** Of an operation: `received`, then in an entry of its own what it came to. */
    outcome: z.enum(['received', 'done', 'failed', 'cancelled', 'refused']),
    detail: z.string().optional(),
    operation: z.string().optional(),
  })
  .meta({ id: 'AuditEntry' })

/** The node that answers. */
export const NodeView = z
  .object({
    name: z.string(),
    version: z.string(),
    startedAt: time,
    workers: count,
    listeners: z.array(z.object({ protocol: z.string(), address: z.string() })),
  })
  .meta({ id: 'NodeView' })

/** `data` of an event named `overview`, once a second for who asks with `?overview=1`; it has no id and is not replayed. */
export const Overview = z
  .object({
    atMs: z.number(),
    connections: count,
    sessions: count,
    opens: count,
    bytesReadTotal: z.number(),
    bytesWrittenTotal: z.number(),
    requestsTotal: z.number(),
    latency: z.object({ p50Ms: z.number(), p99Ms: z.number() }).optional(),
    perProtocol: z.record(
      z.string(),
      z.object({ connections: count, bytesReadTotal: z.number(), bytesWrittenTotal: z.number(), requestsTotal: z.number() }),
    ),
    workers: z.array(z.object({ index: count, busySecondsTotal: z.number() })),
    memoryBytes: z.number(),
  })
  .meta({ id: 'Overview' })

/** A page of a list; `next` is the cursor of the one after it, null for the last. */
export const pageOf = <Item extends z.ZodType>(item: Item) => z.object({ items: z.array(item), next: z.string().nullable() })
/** Which page of a list: after which item, and at most how many. */
export const PageQuery = z.strictObject({ cursor: z.string().max(300).optional(), limit: z.coerce.number().int().min(1).max(1000).optional() })
