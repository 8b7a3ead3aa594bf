/** How a session comes to be: with a login, or again on a worker that takes over from one that died. */
import { CommandWindow } from './command-window.ts'
import type { ConnectionNumbers, LoginRecord } from './connection-state.ts'
import { nexusOf } from './nexus.ts'
import type { TargetDescription } from './options.ts'
import { Session, sessionKey } from './session.ts'
import type { SessionParameters } from './session.ts'
import type { TargetNode } from './target-node.ts'

/** All portals are one group: a session may have connections to any of them. */
export const portalGroupTag = 1

/** Who has a session with whom. */
interface Ports {
  readonly initiatorName: string
  readonly isid: Buffer
  readonly targetName: string | undefined
}

/** Under which a session is found; a discovery session has a key that nobody else has. */
export const keyOf = ({ initiatorName, isid, targetName }: Ports): string =>
  sessionKey(initiatorName, isid, targetName ?? `discovery ${Math.random()}`)

const parametersOf = (agreed: LoginRecord['agreed']): SessionParameters => ({
  initialR2T: agreed.InitialR2T,
  immediateData: agreed.ImmediateData,
  firstBurstBytes: agreed.FirstBurstLength,
  maxBurstBytes: agreed.MaxBurstLength,
  maxOutstandingR2T: agreed.MaxOutstandingR2T,
  maxConnections: agreed.MaxConnections,
  errorRecoveryLevel: agreed.ErrorRecoveryLevel,
  defaultTime2Wait: agreed.DefaultTime2Wait,
  defaultTime2Retain: agreed.DefaultTime2Retain,
})

/** A session as a login has decided; it is not registered yet. Rejects where the target's device cannot be opened. */
export async function openSession(node: TargetNode, record: LoginRecord, window: CommandWindow, description?: TargetDescription): Promise<Session> {
  const { initiatorName, initiatorAlias, user, agreed, tsih, targetName } = record
  const isid = Buffer.from(record.isid, 'hex')
  return new Session({
    tsih,
    isid,
    initiatorName,
    initiatorAlias,
    user,
    since: record.sessionSince,
    agreed,
    key: keyOf({ initiatorName, isid, targetName }),
    parameters: parametersOf(agreed),
    window,
    target: description && {
      description,
      device: await node.options.targets.device(description.name),
      nexus: nexusOf({ initiatorName, isid, targetName: description.name, portalGroupTag }),
    },
  })
}

/**
 * The session of a connection whose worker died: the first of its connections that comes brings it back, the others find it. Its units lost what
 * they kept in memory, and tell so. Undefined where it cannot go on: its target is gone, or another session has taken its place meanwhile
 * (RFC 7143 6.3.5).
 */
export async function resumeSession(node: TargetNode, record: LoginRecord, numbers: ConnectionNumbers): Promise<Session | undefined> {
  const { initiatorName, targetName, tsih } = record
  const { expCmdSn, maxCmdSn } = numbers
  const key = keyOf({ initiatorName, isid: Buffer.from(record.isid, 'hex'), targetName })
  const description = targetName === undefined ? undefined : node.options.targets.find(targetName)
  if (targetName !== undefined && description === undefined) return undefined
  const window = new CommandWindow(expCmdSn, node.limits.commandsPerSession, maxCmdSn)
  const own = node.sessions.find(key) === undefined ? await openSession(node, record, window, description) : undefined
  const found = node.sessions.find(key)
  if (found !== undefined) {
    if (found.tsih !== tsih) return undefined
    found.window.raise(expCmdSn, maxCmdSn)
    return found
  }
  if (own === undefined || node.sessions.get(tsih) !== undefined) return undefined
  node.sessions.add(own)
  own.target?.device.resumeNexus(own.target.nexus)
  return own
}
