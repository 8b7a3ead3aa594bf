/** Opening and closing, and what needs an open only for a moment: one compound of CREATE, something, and CLOSE (MS-SMB2 3.2.4.1.4). */
import { emptyBytes } from '@holdfast/wire'
import {
  anyFileId,
  CreateDisposition,
  CreateOptions,
  fileRights,
  access,
  isNtError,
  ShareAccess,
  headerSize,
  QueryInfoResponse,
} from '../messages/index.ts'
import type { CreateResponse, FileId } from '../messages/index.ts'
import type { CallOptions } from './connection.ts'
import type { CreateExtras } from './durable.ts'
import { SmbError, statusError } from './errors.ts'
import type { Incoming } from './incoming.ts'
import { acrossInterruptions } from './interruption.ts'
import { friendlyPath } from './path.ts'
import { operations, record } from './requests.ts'
import type { AnyRecord, Reply, RequestRecord } from './requests.ts'
import type { Tree } from './tree.ts'

/** What CREATE asks for. */
export interface OpenRequest {
  /** As on the wire. */
  readonly name: string
  /** Access mask. */
  readonly desiredAccess: number
  /** `ShareAccess` bits; default: all. */
  readonly shareAccess?: number
  /** `CreateDisposition`; default: open what is there. */
  readonly createDisposition?: number
  /** `CreateOptions` bits. */
  readonly createOptions?: number
  readonly fileAttributes?: number
  /** Whoever opens it begins anew after a loss of the connection: the server need not keep it, which costs it time. */
  readonly isBrief?: boolean
}

/** Anybody else may do anything. */
export const shareAll: number = ShareAccess.read | ShareAccess.write | ShareAccess.delete

/** The CREATE of an open. If it was aborted and succeeds all the same, the open is closed. */
export const createRecord = (tree: Tree, request: OpenRequest, extras?: CreateExtras) =>
  record({
    operation: operations.create,
    value: {
      name: request.name,
      desiredAccess: request.desiredAccess,
      shareAccess: request.shareAccess ?? shareAll,
      createDisposition: request.createDisposition ?? CreateDisposition.open,
      createOptions: request.createOptions ?? 0,
      fileAttributes: request.fileAttributes ?? 0,
      requestedOplockLevel: extras?.requestedOplockLevel ?? 0,
      createContexts: extras?.createContexts ?? emptyBytes,
    },
    scope: tree,
    path: friendlyPath(request.name),
    abandoned: ({ fileId }: CreateResponse) => void tree.exchange(closeRecord(tree, fileId)).catch(() => undefined),
  })

/** The CLOSE of an open. `anyFileId` in a compound. */
export const closeRecord = (tree: Tree, fileId: FileId, path?: string) =>
  record({ operation: operations.close, value: { fileId }, scope: tree, path, ...(fileId === anyFileId ? { related: true } : {}) })

/** The value of a reply of a compound. Throws SmbError for a failure. */
export function must<Out>(reply: Reply<Out>, what: AnyRecord): Out {
  if (isNtError(reply.status) || reply.value === undefined) throw statusError(reply.status, what.operation.name, what.path)
  return reply.value
}

/**
 * CREATE, one request about the open, CLOSE: in one frame and one round trip. The request says `anyFileId`.
 * Rejects with SmbError for the first that failed.
 */
export async function withHandle<In, Wire, Out = Wire>(
  tree: Tree,
  request: OpenRequest,
  about: Pick<RequestRecord<In, Wire, Out>, 'operation' | 'value' | 'payloadBytes' | 'receive'>,
  options?: RepeatOptions,
): Promise<{ readonly created: CreateResponse; readonly value: Out }> {
  const path = friendlyPath(request.name)
  // No `abandoned`: the CLOSE is under way already.
  const { abandoned: _, ...create } = createRecord(tree, request)
  const middle = record<In, Wire, Out>({ ...about, scope: tree, related: true, path })
  return repeating(options?.onRepeat, async () => {
    const [first, second] = await tree.exchangeCompound([create, middle, closeRecord(tree, anyFileId, path)], options)
    const created = must(first, create)
    return { created, value: must(second as Reply<Out>, middle) }
  })
}

/** Options of what may have to be sent again. */
export interface RepeatOptions extends CallOptions {
  /** Called before it is sent again after a loss of the connection; rejects where it must not be. Default: it may. */
  readonly onRepeat?: ((cause: unknown) => Promise<void>) | undefined
}

const repeating = <T>(onRepeat: RepeatOptions['onRepeat'], call: () => Promise<T>): Promise<T> => {
  let cause: unknown
  return acrossInterruptions(async repeats => {
    if (repeats > 0) await onRepeat?.(cause)
    try {
      return await call()
    } catch (error) {
      cause = error
      throw error
    }
  })
}

/** The value of a QUERY_INFO response: what `layout` makes of the begin of its buffer; it must copy what it keeps. */
export const receiveInfo =
  <Out>(layout: { decode(buffer: Buffer): Out }) =>
  ({ message }: Incoming): Out =>
    layout.decode(QueryInfoResponse.decode(message, headerSize).buffer)

/** CREATE and CLOSE in one round trip: makes something, or finds out that it is there. */
export async function touch(tree: Tree, request: OpenRequest, options?: RepeatOptions): Promise<CreateResponse> {
  const { abandoned: _, ...create } = createRecord(tree, request)
  return repeating(options?.onRepeat, async () => {
    const [first] = await tree.exchangeCompound([create, closeRecord(tree, anyFileId)], options)
    return must(first, create)
  })
}

/** How a file can be opened, by the words of node:fs. */
export const openFlags = Object.freeze({
  r: { desiredAccess: fileRights.read, createDisposition: CreateDisposition.open },
  'r+': { desiredAccess: fileRights.read | fileRights.write, createDisposition: CreateDisposition.open },
  w: { desiredAccess: fileRights.write | access.readAttributes, createDisposition: CreateDisposition.overwriteIf },
  wx: { desiredAccess: fileRights.write | access.readAttributes, createDisposition: CreateDisposition.create },
  'w+': { desiredAccess: fileRights.read | fileRights.write, createDisposition: CreateDisposition.overwriteIf },
  'wx+': { desiredAccess: fileRights.read | fileRights.write, createDisposition: CreateDisposition.create },
  a: { desiredAccess: fileRights.write | access.readAttributes, createDisposition: CreateDisposition.openIf },
  'a+': { desiredAccess: fileRights.read | fileRights.write, createDisposition: CreateDisposition.openIf },
})
/** `r` reads what is there; `w` creates or empties, `a` creates or keeps, `+` does both ways, `x` insists that it is new. */
export type OpenFlag = keyof typeof openFlags

/** Never follow a symbolic link at the end of the path. */
export const notThroughLinks: number = CreateOptions.openReparsePoint

/** A lost connection has closed what was open on it. */
export const isGone = (error: unknown): boolean =>
  error instanceof SmbError &&
  ['CONNECTION_LOST', 'HANDLE_LOST', 'CLOSED', 'SESSION_EXPIRED', 'SHARE_GONE', 'MALFORMED', 'SIGNATURE_INVALID'].includes(error.code)
