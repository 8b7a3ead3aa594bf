/** Carries the requests of a frame out, one after the other (MS-SMB2 3.3.5.2.7). */
import { Command, Dialect } from '../../messages/constants.ts'
import { headerOffset, headerSize } from '../../messages/header.ts'
import { isNtError, NtStatus } from '../../messages/nt-status.ts'
import { arrivalOf } from './arrival.ts'
import type { Chain } from './chain.ts'
import { enter, leave } from './channel-sequence.ts'
import { countTransfer } from './counters.ts'
import { execute, resolve } from './dispatch.ts'
import { failureOf } from './errors.ts'
import type { Outcome } from './handler-api.ts'
import { causeOf, logCompletion } from './request-log.ts'
import { movedAway, SmbRequest } from './request.ts'

/** Runs what is left of the chain until its end, or until a handler makes it wait. */
export function runChain(chain: Chain): void {
  while (chain.nextOffset >= 0) {
    const request = nextRequest(chain)
    const outcome = begin(request)
    if (typeof outcome !== 'number') {
      wait(request, outcome)
      return
    }
    leaveChannel(request)
    if (outcome === movedAway) {
      chain.abandon({ keepMessage: true })
      return
    }
    if (chain.connection.isGone) break
    if (request.asyncId !== 0) chain.connection.onAnswered(request)
    complete(request, outcome)
  }
  if (chain.connection.isGone) chain.abandon({ keepMessage: false })
  chain.flush(true)
  chain.connection.chainDone()
}

function nextRequest(chain: Chain): SmbRequest {
  const { bytes, connection, nextOffset: at } = chain
  const next = bytes.readUInt32LE(at + headerOffset.nextCommand)
  chain.nextOffset = next === 0 ? -1 : at + next
  const isWhole = at === 0 && next === 0
  const message = isWhole ? bytes : bytes.subarray(at, next === 0 ? bytes.length : at + next)
  const request = new SmbRequest(chain, message, { multiCredit: connection.supportsMultiCredit, isLast: next === 0 })
  if (chain.message.orphaned) request.asyncId = connection.restoredAsyncIds.get(request.messageId) ?? 0
  return request
}

/** Never throws, never rejects: what goes wrong becomes a failure's status. */
function begin(request: SmbRequest): Outcome | Promise<Outcome> {
  const { chain, connection } = request
  try {
    const status = resolve(request, connection.server.table)
    chain.isFirst = false
    if (status === NtStatus.FILE_CLOSED && mayBeEarly(request)) return afterArrival(request).catch((error: unknown) => explain(request, error))
    if (status !== NtStatus.SUCCESS) return request.fail(status)
    const verified = enterChannel(request)
    if (verified !== NtStatus.SUCCESS) return request.fail(verified)
    const { session } = request
    if (session !== undefined) session.lastConnection = connection
    const before = request.command === Command.close ? unfinishedBefore(request) : undefined
    const outcome =
      before === undefined
        ? execute(request)
        : before.then(() => (request.session.opens.has(request.open!) ? execute(request) : request.fail(NtStatus.FILE_CLOSED)))
    return typeof outcome === 'number' ? outcome : outcome.catch((error: unknown) => explain(request, error))
  } catch (error) {
    return explain(request, error)
  }
}

/** Once, and where what it names may be on its way. */
function mayBeEarly({ tree, isRelated, hasWaited, entry }: SmbRequest): boolean {
  return tree?.share.continuouslyAvailable === true && !isRelated && !hasWaited && entry.fileIdAt >= 0
}

async function afterArrival(request: SmbRequest): Promise<Outcome> {
  request.hasWaited = true
  await arrivalOf(request, request.message, headerSize + request.entry.fileIdAt)
  return begin(request)
}

/** Clients send a CLOSE after other requests without waiting for their answers: it must not take the file away from under them. */
function unfinishedBefore({ session, open }: SmbRequest): Promise<unknown> | undefined {
  if (open === undefined) return undefined
  let outcomes: Promise<unknown>[] | undefined
  for (const connection of session.channels.keys()) {
    if (connection.running.size === 0) continue
    const found = connection.running.workOn(open)
    if (found.length > 0) outcomes = outcomes === undefined ? found : [...outcomes, ...found]
  }
  return outcomes === undefined ? undefined : Promise.all(outcomes)
}

/** Only 3.x has a ChannelSequence, and only requests on an open are verified. */
function enterChannel(request: SmbRequest): number {
  const { open, connection } = request
  if (open === undefined || connection.dialect < Dialect.smb300) return NtStatus.SUCCESS
  const status = enter(open.channel, request)
  if (status === NtStatus.SUCCESS) request.enteredSequence = request.channelSequence
  return status
}

function leaveChannel({ open, enteredSequence }: SmbRequest): void {
  if (enteredSequence >= 0 && open !== undefined) leave(open.channel, enteredSequence)
}

function explain(request: SmbRequest, error: unknown): Outcome {
  const failure = failureOf(error)
  if (!failure.expected) {
    request.connection.server.log.error({ error, ...causeOf(request) }, 'a request failed unexpectedly')
  }
  return request.fail(failure.status, failure.data)
}

function wait(request: SmbRequest, outcome: Promise<Outcome>): void {
  const { chain, connection } = request
  request.outcome = outcome
  connection.onRunning(request)
  const done = (status: Outcome): void => {
    connection.onAnswered(request)
    leaveChannel(request)
    if (status === movedAway) {
      chain.abandon({ keepMessage: true })
      return
    }
    if (connection.isGone) {
      chain.abandon({ keepMessage: false })
      connection.chainDone()
      return
    }
    try {
      complete(request, status)
      runChain(chain)
    } catch (error) {
      connection.onBroken(error, chain)
    }
  }
  // `begin` has made sure that it does not reject.
  void outcome.then(done)
}

/** Writes the response. */
function complete(request: SmbRequest, status: number): void {
  const { chain, command } = request
  if (command === Command.create) {
    if (isNtError(status) || status === NtStatus.STOPPED_ON_SYMLINK) {
      chain.createStatus = status
      chain.open = undefined
    } else {
      chain.createStatus = 0
      chain.open = request.open
    }
  }
  noteCompletion(request, status)
  if (command === Command.cancel) return
  request.finish(status)
}

function noteCompletion(request: SmbRequest, status: number): void {
  const { chain, command, connection, session, tree, transferredBytes } = request
  const nowMs = performance.now()
  const seconds = (nowMs - chain.sinceMs) / 1000
  chain.sinceMs = nowMs
  connection.counters.count(command, status, seconds)
  if (session !== undefined) session.lastActiveMs = nowMs
  if (transferredBytes > 0) {
    countTransfer(tree.share.traffic, command, transferredBytes)
    session.count(command, transferredBytes)
  }
  if (connection.server.tellsRequests) logCompletion(request, status, seconds)
}

/** Splits a frame's worth of requests: every NextCommand leads to a whole header (3.3.5.2.7). False: the connection is to be closed. */
export function isWellFormed(bytes: Buffer, requestsMax: number): boolean {
  let at = 0
  for (let count = 0; count < requestsMax; count++) {
    if (bytes.length - at < headerSize || bytes.readUInt32LE(at) !== 0x424d53fe || bytes.readUInt16LE(at + 4) !== headerSize) return false
    const next = bytes.readUInt32LE(at + headerOffset.nextCommand)
    if (next === 0) return true
    if (next % 8 !== 0 || next < headerSize || next > bytes.length - at - headerSize) return false
    at += next
  }
  return false
}
