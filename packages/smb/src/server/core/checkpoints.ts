/** What a worker leaves for its successor on a connection, and how that one goes on. */
import { Command, Dialect, HeaderFlags } from '../../messages/constants.ts'
import { headerOffset, headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { transformHeaderLengthBytes } from '../../security/encryption.ts'
import type { SmbConnection } from './connection.ts'
import type { Negotiated } from './negotiate.ts'
import type { SmbServer } from './server.ts'
import { Session } from './session.ts'
import type { SessionCheckpoint } from './session.ts'
import { Tree } from './tree.ts'

/** Under the key `connection`. */
export interface ConnectionCheckpoint {
  readonly negotiated: Negotiated | undefined
  readonly preauth: Uint8Array | undefined
  readonly clientGuidBytes: Uint8Array
  readonly isUpgrading: boolean
  readonly isConstrained: boolean
  /** Known where the connection was moved on purpose; after a death the window is restored leniently. */
  readonly credits: { readonly low: number; readonly high: number } | undefined
}

/** Under the key `async/<MessageId>`: the client has been told PENDING. */
export interface AsyncCheckpoint {
  readonly messageId: number
  readonly asyncId: number
  /** The request's header where its memory had gone back: nobody will deliver it again. */
  readonly header: Uint8Array | undefined
}

/** Takes over a connection with what its last worker left. */
export function restoreConnection(connection: SmbConnection, checkpoints: ReadonlyMap<string, unknown>): void {
  const state = checkpoints.get('connection') as ConnectionCheckpoint | undefined
  if (state === undefined) return
  connection.restore(state)
  // Further connections of this client are to come here. Where others have gone to, they stay.
  if (connection.dialect >= Dialect.smb300) void connection.server.clients.workerOf(connection.clientGuid, connection)
  const sessions = [...checkpoints]
    .filter(([key]) => key.startsWith('session/'))
    .map(([, state]) => restoreSession(connection, state as SessionCheckpoint))
  if (sessions.length > 0) void connection.holdUntil(Promise.all(sessions.map(async ({ recovery }) => recovery)))
  for (const [key, value] of checkpoints) {
    if (!key.startsWith('async/')) continue
    const left = value as AsyncCheckpoint
    connection.restoreAsync(left)
    if (left.header !== undefined) answerLost(connection, left, Buffer.from(left.header))
  }
}

/** Sessions and trees survive, and opens that outlive a connection; what names another open gets FILE_CLOSED. */
function restoreSession(connection: SmbConnection, state: SessionCheckpoint): Session {
  const { server } = connection
  const session = server.sessions.get(state.id) ?? recreate(server, connection, state)
  const channel = session.addChannel(connection)
  session.establishChannel(channel, { algorithm: state.signingAlgorithm, key: Buffer.from(state.channelSigningKey) })
  connection.sessions.set(session.number, session)
  return session
}

function recreate(server: SmbServer, connection: SmbConnection, state: SessionCheckpoint): Session {
  const session = new Session({ number: state.id, server, connection })
  const buffer = (bytes: Uint8Array | undefined): Buffer | undefined => (bytes === undefined ? undefined : Buffer.from(bytes))
  session.establish({
    keys: {
      signingKey: Buffer.from(state.signingKey),
      applicationKey: Buffer.from(state.applicationKey),
      clientToServerKey: buffer(state.clientToServerKey),
      serverToClientKey: buffer(state.serverToClientKey),
    },
    signingAlgorithm: state.signingAlgorithm,
    cipher: state.cipher,
  })
  session.user = state.user
  session.isAnonymous = state.isAnonymous
  session.signingRequired = state.signingRequired
  session.encryptData = state.encryptData
  session.expiresAtMs = state.expiresAtMs
  session.sinceMs = state.sinceMs
  session.on('authenticated')
  for (const { id, share } of state.trees) {
    const found = server.shares.get(share)
    // The share has been deleted meanwhile.
    if (found === undefined) continue
    session.restoreTree(new Tree(id, session, found))
    server.gauges.trees.add(1)
  }
  server.adopt(session)
  session.recovery = server.dependencies.fileCommands.recover(session, session.trees)
  return session
}

/** The final response of a request that waited when its worker died, and that can't be done again: its open has gone. */
function answerLost(connection: SmbConnection, left: AsyncCheckpoint, header: Buffer): void {
  const session = connection.findSession(header.readUInt32LE(headerOffset.sessionId))
  const isNotify = header.readUInt16LE(headerOffset.command) === Command.changeNotify
  const start = session?.encryptData === true ? transformHeaderLengthBytes : 0
  const end = start + headerSize + 9
  const buffer = connection.link.allocate(end)
  header.copy(buffer, start, 0, headerSize)
  buffer.fill(0, start + headerSize, end)
  buffer[start + headerSize] = 9
  buffer.writeUInt32LE(isNotify ? NtStatus.NOTIFY_CLEANUP : NtStatus.FILE_CLOSED, start + headerOffset.status)
  buffer.writeUInt16LE(0, start + headerOffset.credits)
  const flags = header.readUInt32LE(headerOffset.flags) | HeaderFlags.serverToRedir | HeaderFlags.asyncCommand
  buffer.writeUInt32LE(flags >>> 0, start + headerOffset.flags)
  buffer.writeUInt32LE(0, start + headerOffset.nextCommand)
  buffer.writeBigUInt64LE(BigInt(left.asyncId), start + headerOffset.asyncId)
  if (start > 0) session!.encryptor!.encrypt(buffer.subarray(0, end), session!.id)
  else if ((flags & HeaderFlags.signed) !== 0 && session !== undefined) connection.signerOf(session)?.sign(buffer.subarray(start, end), 'server')
  connection.link.send(buffer, end)
  connection.link.checkpoint(`async/${left.messageId}`, undefined)
}
