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

/** Has an open again on a connection, or marks it as lost. Rejects only when the connection is lost, or the signal aborts. */
export async function reclaim(open: RemoteOpen, connection: Connection, signal: AbortSignal): Promise<void> {
  if (open.state !== 'interrupted') return
  open.go('reclaim')
  let cause = open.tree.lost
  if (cause === undefined && open.durability !== 'none') cause = await fromServer(open, connection, signal)
  else if (cause === undefined && !isReplaceable(open)) return lose(open, undefined)
  else if (cause === undefined) return byName(open, connection, signal)
  if (cause === undefined) return
  if (open.tree.lost === undefined && isReplaceable(open)) return byName(open, connection, signal)
  lose(open, cause)
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

/** What the server refused with; undefined: the open is there again. */
async function fromServer(open: RemoteOpen, connection: Connection, signal: AbortSignal): Promise<SmbError | undefined> {
  for (let retries = 0; ; retries++) {
    try {
      noteGrant(open, await create(open, { extras: durableReconnect(open), connection, signal }))
      regain(open)
      return undefined
    } catch (error) {
      if (!isRefusal(error)) throw error
      if (!notYet.includes(error.status) || retries === retriesMax) return error
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
