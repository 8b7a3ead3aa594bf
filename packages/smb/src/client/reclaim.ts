/** Having an open again after a reconnect (MS-SMB2 3.2.4.4): by what the server kept, or by name where nobody can tell the difference. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { access, CreateDisposition, NtStatus } from '../messages/index.ts'
import type { CreateResponse } from '../messages/index.ts'
import type { Connection } from './connection.ts'
import { durableReconnect, durableRequest, noteGrant } from './durable.ts'
import type { CreateExtras } from './durable.ts'
import { SmbError } from './errors.ts'
import { closeRecord, createRecord } from './handle.ts'
import type { Fingerprint, RemoteOpen } from './remote-open.ts'

/** The server has not noticed the loss yet. */
const notYet: readonly (number | undefined)[] = [NtStatus.FILE_NOT_AVAILABLE, NtStatus.SHARING_VIOLATION]
const retryMs = 100
const retriesMax = 50

const changes = access.writeData | access.appendData | access.writeEa | access.writeAttributes | access.delete | access.writeDac | access.writeOwner

/** Nobody can tell an open that only reads from another of the same file, as long as the file is the same. */
const isReplaceable = ({ request, hasLocked, fingerprint }: RemoteOpen): boolean =>
  fingerprint !== undefined &&
  !hasLocked &&
  (request.desiredAccess & changes) === 0 &&
  (request.createDisposition ?? CreateDisposition.open) === CreateDisposition.open

const isSame = (a: Fingerprint, b: Fingerprint | undefined): boolean =>
  b !== undefined &&
  a.diskFileId === b.diskFileId &&
  a.creationTime === b.creationTime &&
  a.lastWriteTime === b.lastWriteTime &&
  a.endOfFile === b.endOfFile

/** True for a refusal by the server: all else means that the connection is lost once more. */
const isRefusal = (error: unknown): error is SmbError => error instanceof SmbError && error.status !== undefined

/**
 * Has an open again on a connection, or marks it as lost; what the server refuses to give back is `interrupted` as before, and not asked
 * for again: the connection must be left. Rejects only when the connection is lost, or the signal aborts.
 *
 * A server that refuses may count the open as one of this very connection, with a lease that nobody answers for, in everybody's way until
 * the connection ends: Samba's smbd before 4.19.9, 4.20.6, and 4.21.1 (its bug 15624). It refuses where a file was changed after its open
 * had been put away, even by a WRITE of the lost connection that was not over.
 */
export async function reclaim(open: RemoteOpen, connection: Connection, signal: AbortSignal): Promise<void> {
  if (open.state !== 'interrupted') return
  open.go('reclaim')
  const { lost } = open.tree
  if (lost !== undefined) lose(open, lost)
  else if (open.durability !== 'none') await fromServer(open, connection, signal)
  else if (isReplaceable(open)) await byName(open, connection, signal)
  else lose(open, open.refusal)
}

function lose(open: RemoteOpen, cause: SmbError | undefined): void {
  // It may have been closed meanwhile.
  if (open.state === 'reclaiming') open.lose(cause)
}

function regain(open: RemoteOpen): void {
  if (open.state === 'reclaiming') open.go('reclaimed')
}

async function create(open: RemoteOpen, how: { readonly extras: CreateExtras; readonly connection: Connection; readonly signal: AbortSignal }) {
  // Never what it was made with: a server that knows no reconnecting would empty the file.
  const request = { ...open.request, name: open.name, createDisposition: CreateDisposition.open }
  const { abandoned: _, ...record } = createRecord(open.tree, request, how.extras)
  const { value } = await how.connection.exchange(record, { signal: how.signal })
  return value as CreateResponse
}

async function fromServer(open: RemoteOpen, connection: Connection, signal: AbortSignal): Promise<void> {
  for (let retries = 0; ; retries++) {
    try {
      noteGrant(open, await create(open, { extras: durableReconnect(open), connection, signal }))
      return regain(open)
    } catch (error) {
      if (!isRefusal(error)) throw error
      if (!notYet.includes(error.status) || retries === retriesMax) return open.refuse(error)
      await sleep(retryMs, undefined, { signal })
    }
  }
}

async function byName(open: RemoteOpen, connection: Connection, signal: AbortSignal): Promise<void> {
  const before = open.fingerprint!
  open.fingerprint = undefined
  open.durability = 'none'
  open.createGuid = randomUUID()
  try {
    noteGrant(open, await create(open, { extras: durableRequest(open, { leaseKey: randomUUID() }), connection, signal }))
  } catch (error) {
    open.fingerprint = before
    if (!isRefusal(error)) throw error
    return lose(open, error)
  }
  if (isSame(before, open.fingerprint)) return regain(open)
  await connection.exchange(closeRecord(open.tree, { persistent: open.persistent, volatile: open.volatile }, open.path), { signal })
  lose(open, new SmbError('HANDLE_LOST', 'the file has changed meanwhile', { path: open.path }))
}
