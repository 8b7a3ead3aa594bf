/** SESSION_SETUP (MS-SMB2 3.3.5.5): new sessions, re-authentication, and binding a session to a further connection. */
import { SecurityMode, SessionFlags, SessionSetupFlags } from '../../messages/constants.ts'
import { headerOffset, headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { wellKnownSids } from '../../messages/sid.ts'
import { SessionSetupRequest, SessionSetupResponse } from '../../messages/session-setup.ts'
import { aeadAlgorithms } from '../../security/crypto.ts'
import { deriveKeys } from '../../security/key-derivation.ts'
import type { Authenticated } from '../../security/mechanism.ts'
import type { PreauthHash } from '../../security/preauth.ts'
import { SpnegoServer } from '../../security/spnego/index.ts'
import type { SpnegoStep } from '../../security/spnego/index.ts'
import type { MaybePromise } from '@holdfast/storage'
import { bindingRefusal } from './binding.ts'
import type { Settings } from './config.ts'
import { failureOf } from './errors.ts'
import { StatusError } from './handler-api.ts'
import type { Outcome, TokenUser } from './handler-api.ts'
import { causeOf } from './request-log.ts'
import { movedAway } from './request.ts'
import type { SmbRequest } from './request.ts'
import type { Channel, Session } from './session.ts'

type RunKind = 'new' | 'reauthentication' | 'binding'

/** One authentication: the legs of a SESSION_SETUP exchange on one channel. */
export interface SessionSetupRun {
  readonly kind: RunKind
  readonly spnego: SpnegoServer
  /** The session's pre-authentication integrity hash (3.1.1), where keys come out of this run. */
  readonly preauth: PreauthHash | undefined
  /** As claimed by the client. */
  claimedUser: string
}

/**
 * S-1-5-7: who proved nothing. It has no groups: IPC$ is all that an anonymous session reaches, and one that has been re-authenticated so has
 * what it has open already.
 */
const anonymousUser: TokenUser = Object.freeze({
  name: 'ANONYMOUS LOGON',
  domain: 'NT AUTHORITY',
  sid: wellKnownSids.anonymous,
  groupSids: [],
  isAdministrator: false,
})

export function sessionSetup(request: SmbRequest): MaybePromise<Outcome> {
  const setup = SessionSetupRequest.decode(request.message, headerSize)
  if ((setup.flags & SessionSetupFlags.binding) !== 0) return bind(request, setup)
  const session =
    request.message.readUInt32LE(headerOffset.sessionId) === 0 && request.message.readUInt32LE(headerOffset.sessionId + 4) === 0
      ? create(request)
      : request.session
  const channel = session === undefined ? undefined : session.channels.get(request.connection)
  if (session === undefined || channel === undefined) return request.fail(NtStatus.USER_SESSION_DELETED)
  if (channel.run === undefined) {
    session.on('begin-authentication')
    channel.run = newRun(request, session.isEstablished ? 'reauthentication' : 'new')
  }
  return step(request, { setup, session, channel, run: channel.run })
}

function create(request: SmbRequest): Session {
  const { connection } = request
  const { server } = connection
  if (connection.sessions.size >= server.settings.limits.sessionsPerConnection) {
    throw new StatusError(NtStatus.INSUFFICIENT_RESOURCES, 'too many sessions on this connection')
  }
  const session = server.createSession(connection)
  session.addChannel(connection)
  connection.sessions.set(session.number, session)
  request.session = session
  request.chain.session = session
  return session
}

function bind(request: SmbRequest, setup: SessionSetupRequest): MaybePromise<Outcome> {
  const { connection, message } = request
  const { server } = connection
  const number = message.readUInt32LE(headerOffset.sessionId)
  if (message.readUInt32LE(headerOffset.sessionId + 4) !== 0) return request.fail(NtStatus.USER_SESSION_DELETED)
  if (number === 0) return request.fail(NtStatus.INVALID_PARAMETER)
  const session = server.sessions.get(number)
  if (session === undefined) {
    const home = server.workerOfSession(number)
    if (home === undefined || home === server.node.index || connection.sessions.size > 0) return request.fail(NtStatus.USER_SESSION_DELETED)
    connection.moveTo(home, request)
    return movedAway
  }
  // Whatever is answered until the channel has its own key is signed with the session's.
  request.signer ??= session.signer
  const refusal = bindingRefusal(request, session)
  if (refusal !== NtStatus.SUCCESS) return request.fail(refusal)
  let channel = session.channels.get(connection)
  if (channel === undefined) {
    if (session.channels.size >= server.settings.limits.channelsPerSession) return request.fail(NtStatus.INSUFFICIENT_RESOURCES)
    channel = session.addChannel(connection)
    connection.bindings.set(number, session)
  }
  channel.run ??= newRun(request, 'binding')
  return step(request, { setup, session, channel, run: channel.run })
}

/** A binding proves who it is, whatever the session. */
const admitsAnonymous: Readonly<Record<RunKind, (settings: Settings) => boolean>> = {
  new: settings => settings.anonymous,
  reauthentication: settings => settings.anonymousReauthentication,
  binding: () => false,
}

function newRun(request: SmbRequest, kind: RunKind): SessionSetupRun {
  const { connection } = request
  const { server } = connection
  const anonymous = admitsAnonymous[kind](server.settings) ? 'report' : 'refuse'
  const run: SessionSetupRun = {
    kind,
    spnego: new SpnegoServer({ mechanisms: server.dependencies.mechanisms({ anonymous, onUser: user => (run.claimedUser = user) }) }),
    preauth: kind === 'reauthentication' ? undefined : connection.preauth?.clone(),
    claimedUser: '',
  }
  return run
}

interface Leg {
  readonly setup: SessionSetupRequest
  readonly session: Session
  readonly channel: Channel
  readonly run: SessionSetupRun
}

async function step(request: SmbRequest, leg: Leg): Promise<Outcome> {
  const { session, channel, run, setup } = leg
  const { server } = request.connection
  run.preauth?.update(request.message)
  request.responseSessionId = session.number
  try {
    const result = await run.spnego.step(setup.securityBuffer)
    if (channel.run !== run || session.state === 'closed') return request.fail(NtStatus.USER_SESSION_DELETED)
    if (!result.done) {
      request.chain.preauth = run.preauth
      return reply(request, { status: NtStatus.MORE_PROCESSING_REQUIRED, output: result.output, flags: 0 })
    }
    const attempt = { remoteAddress: request.connection.remoteAddress, user: result.user }
    await server.hold(attempt)
    await finish[run.kind](request, leg, result)
    // Who proves nothing does not make guesses good.
    if (!result.anonymous) server.throttle?.succeeded(attempt)
    channel.run = undefined
    session.checkpoint()
    return reply(request, { status: NtStatus.SUCCESS, output: result.output, flags: flagsOf(session) })
  } catch (error) {
    return await fail(request, leg, error)
  }
}

const flagsOf = (session: Session): number => (session.isAnonymous ? SessionFlags.isNull : 0) | (session.encryptData ? SessionFlags.encryptData : 0)

function reply(request: SmbRequest, answer: { status: number; output: Buffer; flags: number }): Outcome {
  const response = { sessionFlags: answer.flags, securityBuffer: answer.output }
  const body = request.reserve(SessionSetupResponse.encodedLength(response))
  return request.reply(SessionSetupResponse.encode(response, body), answer.status)
}

async function fail(request: SmbRequest, { session, channel, run }: Leg, error: unknown): Promise<Outcome> {
  const { server } = request.connection
  const failure = failureOf(error)
  if (!failure.expected) server.log.error({ error, ...causeOf(request), session: session.number }, 'authentication failed unexpectedly')
  const attempt = { remoteAddress: request.connection.remoteAddress, user: run.claimedUser }
  server.gauges.authenticationFailures.add()
  server.log.info({ ...causeOf(request), user: run.claimedUser, remoteAddress: attempt.remoteAddress, code: codeOf(error) }, 'logon refused')
  if (channel.run === run) channel.run = undefined
  server.throttle?.failed(attempt)
  await server.hold(attempt)
  if (run.kind === 'binding') request.connection.unbind(session)
  else if (session.state !== 'closed') {
    // (3.3.5.5.3) a failed re-authentication ends the session.
    session.on('authentication-failed')
    await server.closeSession(session, { reason: 'logoff', except: request })
  }
  return request.fail(failure.status, failure.data)
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

type Authentication = Extract<SpnegoStep, { done: true }>

async function identify(request: SmbRequest, who: Authenticated): Promise<TokenUser> {
  if (who.anonymous) return anonymousUser
  const user = await request.connection.server.dependencies.identify(who)
  if (user === undefined) throw new StatusError(NtStatus.LOGON_FAILURE, 'no such user')
  return user
}

const finish: Readonly<Record<RunKind, (request: SmbRequest, leg: Leg, who: Authentication) => Promise<void>>> = {
  async new(request, { session, channel, run, setup }, who) {
    const { connection } = request
    const { server } = connection
    const { settings } = server
    const encrypts = connection.cipher !== undefined && !who.anonymous
    if (settings.encryption === 'required' && !encrypts) throw new StatusError(NtStatus.ACCESS_DENIED, 'no encryption')
    const user = await identify(request, who)
    // Nobody in particular has no sessions from before.
    const hasPrevious = setup.previousSessionId !== 0n && setup.previousSessionId !== session.id && !who.anonymous
    if (hasPrevious) await server.closePrevious(setup.previousSessionId, user.sid)
    const keys = deriveKeys({
      dialect: connection.dialect,
      sessionKey: who.sessionKey,
      preauthHash: run.preauth?.value,
      cipherKeyBits: connection.cipher !== undefined && aeadAlgorithms[connection.cipher].keyLengthBytes === 32 ? 256 : 128,
    })
    session.user = user
    session.expiresAtMs = user.expiresAtMs ?? Infinity
    session.isAnonymous = who.anonymous
    session.signingRequired = !who.anonymous && (settings.signingRequired || (setup.securityMode & SecurityMode.signingRequired) !== 0)
    session.encryptData = settings.encryption === 'required'
    session.establish({ keys, signingAlgorithm: connection.signingAlgorithm, cipher: connection.cipher })
    session.establishChannel(channel, { algorithm: connection.signingAlgorithm, key: keys.signingKey })
    session.on('authenticated')
    // (3.3.4.1.1) the answer to nobody in particular is not signed, and its connection stays a stranger's.
    if (who.anonymous) return
    connection.onAuthenticated()
    request.signer = channel.signer
  },

  /** Keys stay what they are, whoever it is now (3.3.5.5.3). */
  async reauthentication(request, { session, channel }, who) {
    // What anybody may know protects nobody in particular only.
    if (session.isAnonymous && !who.anonymous) throw new StatusError(NtStatus.ACCESS_DENIED, 'established anonymously')
    session.user = await identify(request, who)
    session.expiresAtMs = session.user.expiresAtMs ?? Infinity
    session.on('authenticated')
    if (!session.isAnonymous) request.signer = channel.signer
  },

  async binding(request, { session, channel, run }, who) {
    const { connection } = request
    const user = await identify(request, who)
    if (user.sid !== session.user.sid) throw new StatusError(NtStatus.ACCESS_DENIED, "another user's session")
    const { signingKey } = deriveKeys({ dialect: connection.dialect, sessionKey: who.sessionKey, preauthHash: run.preauth?.value })
    // In 3.0 as in 3.1.1 each channel has a signing key of its own.
    session.establishChannel(channel, { algorithm: connection.signingAlgorithm, key: signingKey })
    connection.bindings.delete(session.number)
    connection.sessions.set(session.number, session)
    connection.onAuthenticated()
    request.signer = channel.signer
  },
}
