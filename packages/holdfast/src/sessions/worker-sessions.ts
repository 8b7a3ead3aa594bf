/** The sessions of one worker, for whoever manages the node. */

import type { WorkerNode } from '@holdfast/engine'
import type { IscsiSessionView, IscsiTarget } from '@holdfast/iscsi/target'
import type { SmbAdministration, SmbSessionView } from '@holdfast/smb/server'
import { Selection } from '../resources/page.ts'
import { targetNamePrefix } from '../volumes/volume.ts'
import type { SessionView } from './service.ts'

/** Ids of the worker objects that know a worker's sessions, by protocol. */
export const sessionObjects = { smb: 'sessions/smb', iscsi: 'sessions/iscsi' } as const

/** Somebody whose sessions are to end. */
export interface SessionUser {
  readonly name: string
  readonly sid: string
}

/** What is asked for one page. */
export interface SessionPart {
  readonly limit: number
  readonly cursor?: string
}

/** What such an object can do; ids are those of `SessionView`. */
export interface SessionMethods {
  /** The first ones after the cursor. */
  list(part: SessionPart): readonly SessionView[]
  get(id: string): SessionView | undefined
  disconnect(id: string): Promise<boolean>
  disconnectUser(user: SessionUser): Promise<void>
}

type Registrar = Pick<WorkerNode, 'index' | 'register'>

/** SMB: the id has the SessionId, which is unique in the node. */
export function registerSmbSessions(node: Registrar, smb: SmbAdministration): void {
  const numberOf = (id: string): number => Number.parseInt(id.slice('smb-'.length), 16)
  const methods: SessionMethods = {
    list: part => select(part, mapped(smb.sessionNumbers(), smbSessionId), id => smbView(smb.session(numberOf(id)))),
    get: id => smbView(smb.session(numberOf(id))),
    disconnect: id => smb.disconnect(numberOf(id)),
    disconnectUser: user => smb.disconnectUser(user),
  }
  node.register(sessionObjects.smb, { ...methods })
}

/** How long an initiator has to log out by itself. */
const politeSeconds = 5
/** The same where its user is gone. */
const briefSeconds = 1

/** iSCSI: the id has the worker and the session's TSIH, which is unique there. */
export function registerIscsiSessions(node: Registrar, target: Pick<IscsiTarget, 'sessions' | 'disconnect'>): void {
  const idOf = ({ tsih }: Pick<IscsiSessionView, 'tsih'>): string => `iscsi-${node.index}-${tsih}`
  const find = (id: string): IscsiSessionView | undefined => target.sessions().find(session => idOf(session) === id)
  const methods: SessionMethods = {
    list(part) {
      const byId = new Map(target.sessions().map(session => [idOf(session), session]))
      return select(part, byId.keys(), id => iscsiView(id, byId.get(id)))
    },
    get: id => iscsiView(id, find(id)),
    async disconnect(id) {
      const session = find(id)
      return session !== undefined && (await target.disconnect(session.tsih, politeSeconds))
    },
    async disconnectUser({ name }) {
      const theirs = target.sessions().filter(({ user }) => user?.toUpperCase() === name.toUpperCase())
      await Promise.all(theirs.map(({ tsih }) => target.disconnect(tsih, briefSeconds)))
    },
  }
  node.register(sessionObjects.iscsi, { ...methods })
}

function* mapped<From, To>(items: Iterable<From>, map: (item: From) => To): IterableIterator<To> {
  for (const item of items) yield map(item)
}

/** Views of the first ones only. */
function select({ limit, cursor }: SessionPart, ids: Iterable<string>, view: (id: string) => SessionView | undefined): readonly SessionView[] {
  const found = new Selection<string>(limit, cursor)
  for (const id of ids) found.offer(id, id)
  return found.items.map(id => view(id)).filter(session => session !== undefined)
}

/** Id of an SMB session, by its SessionId. */
export const smbSessionId = (number: number): string => `smb-${number.toString(16).padStart(8, '0')}`

const iso = (ms: number): string => new Date(ms).toISOString()

/** `3.1.1` (MS-SMB2 2.2.4 DialectRevision). */
const dialects: Readonly<Record<number, string>> = { 0x0202: '2.0.2', 0x0210: '2.1', 0x0300: '3.0', 0x0302: '3.0.2', 0x0311: '3.1.1' }

function smbView(session: SmbSessionView | undefined): SessionView | undefined {
  return (
    session && {
      id: smbSessionId(session.number),
      protocol: 'smb',
      user: session.user,
      client: { address: session.clientAddress, port: session.clientPort },
      since: iso(session.sinceMs),
      ...(session.lastActiveMs !== undefined && { lastActive: iso(session.lastActiveMs) }),
      dialect: dialects[session.dialect] ?? `0x${session.dialect.toString(16)}`,
      signing: session.isSigned,
      encryption: session.isEncrypted,
      connections: session.channels,
      opens: session.opens,
      uses: session.shares,
      bytesRead: session.bytesRead,
      bytesWritten: session.bytesWritten,
    }
  )
}

function iscsiView(id: string, session: IscsiSessionView | undefined): SessionView | undefined {
  if (session === undefined) return undefined
  const { connections, initiatorName, target } = session
  const [first] = connections
  const digests = [
    ...(connections.some(({ headerDigest }) => headerDigest) ? ['header digests'] : []),
    ...(connections.some(({ dataDigest }) => dataDigest) ? ['data digests'] : []),
  ]
  return {
    id,
    protocol: 'iscsi',
    user: session.user ?? '',
    client: { address: first?.remoteAddress ?? '', port: first?.remotePort ?? 0, name: initiatorName },
    since: iso(session.since),
    ...(connections.length > 0 && { lastActive: iso(Math.max(...connections.map(({ lastHeard }) => lastHeard))) }),
    dialect: [`error recovery level ${session.errorRecoveryLevel}`, ...digests].join(', '),
    // Digests find what has gone wrong, not who has done it.
    signing: false,
    encryption: false,
    connections: connections.length,
    opens: 0,
    uses: target === undefined ? [] : [target.startsWith(targetNamePrefix) ? target.slice(targetNamePrefix.length) : target],
    bytesRead: session.readBytes,
    bytesWritten: session.writtenBytes,
  }
}
