/** Opening a file so that it stays open when the connection is lost, and making one exactly once (MS-SMB2 3.2.4.3, 3.2.4.1.10). */
import { randomUUID } from 'node:crypto'
import { CreateAction, CreateDisposition, headerSize, LeaseState, NtStatus } from '../messages/index.ts'
import type { CreateResponse } from '../messages/index.ts'
import type { CallOptions } from './connection.ts'
import { durableRequest, noteGrant } from './durable.ts'
import { SmbError } from './errors.ts'
import { closeRecord, createRecord } from './handle.ts'
import type { OpenRequest } from './handle.ts'
import { operations } from './requests.ts'
import { RemoteOpen } from './remote-open.ts'
import type { Tree } from './tree.ts'

/** What was opened. */
export interface Opened {
  readonly open: RemoteOpen
  readonly response: CreateResponse
}

/** Opens a file. Rejects with SmbError by the status; `OUTCOME_UNKNOWN` when it cannot be told whether a new file is ours. */
export async function openFile(tree: Tree, request: OpenRequest, options?: CallOptions): Promise<Opened> {
  let isRepeated = false
  const leaseKey = randomUUID()
  const asked = { leaseKey, onRepeat: () => void (isRepeated = true) }
  try {
    return await send(new RemoteOpen(tree, request), asked, options)
  } catch (error) {
    const isDoubtful = isRepeated && request.createDisposition === CreateDisposition.create
    if (!isDoubtful || !(error instanceof SmbError) || error.status !== NtStatus.OBJECT_NAME_COLLISION) throw error
    return claim(tree, request, { leaseKey, collision: error, options })
  }
}

/** Opens without any of that: a folder, a pipe. The loss of a connection closes it. */
export async function openBriefly(tree: Tree, request: OpenRequest, options?: CallOptions): Promise<RemoteOpen> {
  const open = new RemoteOpen(tree, request)
  const { value } = await tree.exchange({ ...createRecord(tree, request), receive: receiver(open) }, options)
  return keep(open, value!)
}

/** Enters an open that a compound made. */
export function keep(open: RemoteOpen, { fileId }: Pick<CreateResponse, 'fileId'>): RemoteOpen {
  open.persistent = fileId.persistent
  open.volatile = fileId.volatile
  open.tree.session.link.opens.add(open)
  return open
}

/** CLOSE, and it is forgotten; what is lost is closed. Rejects with SmbError. */
export async function closeOpen(open: RemoteOpen): Promise<void> {
  try {
    if (open.error === undefined) await open.tree.exchange(closeRecord(open.tree, open, open.path))
  } finally {
    open.go('close')
    open.tree.session.link.opens.delete(open)
  }
}

/** Enters the open the moment it is known: a loss may be next. */
const receiver =
  (open: RemoteOpen) =>
  (incoming: { own(): Buffer }): CreateResponse => {
    const response = operations.create.response.decode(incoming.own(), headerSize)
    noteGrant(open, response)
    open.tree.session.link.opens.add(open)
    return response
  }

async function send(
  open: RemoteOpen,
  asked: { readonly leaseKey: string; readonly epoch?: number; readonly onRepeat: () => void },
  options?: CallOptions,
): Promise<Opened> {
  const { tree, request } = open
  const { link } = tree.session
  const record = createRecord(tree, request, durableRequest(open, asked))
  // The server may break a lease before it has said that there is one.
  link.opening.add(open)
  try {
    const abandoned = (): void => void closeOpen(open).catch(() => undefined)
    const { value } = await tree.exchange({ ...record, onRepeat: asked.onRepeat, receive: receiver(open), abandoned }, options)
    // Whichever answer it is: what had to be new was made.
    const isNew = request.createDisposition === CreateDisposition.create
    return { open, response: isNew ? { ...value!, createAction: CreateAction.created } : value! }
  } finally {
    link.opening.delete(open)
  }
}

/** Half of what an epoch can be: a new lease counts on from what is asked, an old one from near 0 (3.3.5.9.11). */
const epochOfClaim = 0x4000

/**
 * A file that was to be new is there, and the answer to the first try was lost: it is ours exactly if it has our lease, whose key nobody
 * else knows. The server tells by the epoch. Rejects with `EEXIST` when it is somebody else's.
 */
async function claim(
  tree: Tree,
  request: OpenRequest,
  { leaseKey, collision, options }: { readonly leaseKey: string; readonly collision: SmbError; readonly options: CallOptions | undefined },
): Promise<Opened> {
  const { path } = collision
  const unknown = new SmbError('OUTCOME_UNKNOWN', `'${path}' is there, and it cannot be told who made it`, { path, cause: collision })
  const again = { ...request, createDisposition: CreateDisposition.open }
  const asked = { leaseKey, epoch: epochOfClaim, onRepeat: () => undefined }
  const opened = await send(new RemoteOpen(tree, again), asked, options).catch((error: unknown) => {
    throw error instanceof SmbError && error.status !== undefined ? unknown : error
  })
  const { lease } = opened.open
  const isTold = lease !== undefined && lease.state !== LeaseState.none
  if (isTold && lease.epoch < epochOfClaim) return { open: opened.open, response: { ...opened.response, createAction: CreateAction.created } }
  await closeOpen(opened.open).catch(() => undefined)
  throw isTold ? collision : unknown
}
