/** Plays a recorded conversation to a live server: ids are those of the live session, what else the messages say may be changed. */
import { frameOf } from '../testing/peers/frames.ts'
import type { CapturedMessage, Conversation } from './capture.ts'
import { mutate, splice } from './mutate.ts'
import type { Random } from './random.ts'
import { command, headerAt, RawSession } from '../testing/peers/raw-session.ts'
import type { SessionOptions } from '../testing/peers/raw-session.ts'

const headerBytes = 64
const flagResponse = 1
const fsctlValidateNegotiateInfo = 0x00140204
/** Where CREATE's answer has the FileId (MS-SMB2 2.2.14). */
const fileIdAt = headerBytes + 64
const fileIdBytes = 16
/** A request that takes longer is left to itself: it may wait for a lock. */
const idTimeoutMs = 300

/** How wild the replay is, 0 … 1 each. */
export interface Wildness {
  /** Share of messages that are changed. */
  readonly mutation: number
  /** Share of messages sent with a wrong signature, or none. */
  readonly unsigned: number
  /** Share of messages that are sent twice, left out, or mixed with another. */
  readonly disorder: number
  /** Share of frames whose length does not fit. */
  readonly wrongLength: number
}

/** What a fuzzing run does. */
export const wild: Wildness = { mutation: 0.3, unsigned: 0.01, disorder: 0.02, wrongLength: 0.003 }
/** Nothing changed but ids: to see that the replay itself works. */
export const faithful: Wildness = { mutation: 0, unsigned: 0, disorder: 0, wrongLength: 0 }

/** What a replay came to. */
export interface ReplayOutcome {
  readonly sent: number
  /** Answers to CREATE with success: how deep the replay gets. */
  readonly opened: number
}

/** Offsets of the elements of a compound. */
function elementsOf(message: Buffer): number[] {
  const result: number[] = []
  for (let at = 0; at + headerBytes <= message.length;) {
    result.push(at)
    const next = message.readUInt32LE(at + headerAt.nextCommand)
    if (next < headerBytes) break
    at += next
  }
  return result
}

/** The ids that the recorded server gave out, by the message id of the request. */
function recordedIds(messages: readonly CapturedMessage[]): { readonly fileIds: Map<bigint, Buffer>; readonly treeIds: Map<bigint, number> } {
  const fileIds = new Map<bigint, Buffer>()
  const treeIds = new Map<bigint, number>()
  for (const { fromClient, bytes } of messages) {
    if (fromClient || bytes[0] !== 0xfe) continue
    for (const at of elementsOf(bytes)) {
      const code = bytes.readUInt16LE(at + headerAt.command)
      const messageId = bytes.readBigUInt64LE(at + headerAt.messageId)
      if (bytes.readUInt32LE(at + headerAt.status) !== 0 || (bytes.readUInt32LE(at + headerAt.flags) & flagResponse) === 0) continue
      if (code === command.treeConnect) treeIds.set(messageId, bytes.readUInt32LE(at + headerAt.treeId))
      if (code === command.create && at + fileIdAt + fileIdBytes <= bytes.length) {
        fileIds.set(messageId, Buffer.from(bytes.subarray(at + fileIdAt, at + fileIdAt + fileIdBytes)))
      }
    }
  }
  return { fileIds, treeIds }
}

/** Ids of the recording and what they are called in the live session. */
class Translation {
  readonly #files: { readonly recorded: Buffer; readonly live: Buffer }[] = []
  readonly #trees = new Map<number, number>()
  readonly #messages = new Map<bigint, bigint>()

  addFile(recorded: Buffer, live: Buffer): void {
    this.#files.unshift({ recorded, live })
  }
  addTree(recorded: number, live: number): void {
    this.#trees.set(recorded, live)
  }

  /** Rewrites the ids in one request in place. Returns the recorded and the live message id of each element. */
  apply(message: Buffer, session: RawSession): { readonly recorded: bigint; readonly live: bigint; readonly code: number }[] {
    for (const { recorded, live } of this.#files) {
      for (let at = message.indexOf(recorded, headerBytes); at >= 0; at = message.indexOf(recorded, at + fileIdBytes)) live.copy(message, at)
    }
    return elementsOf(message).map(at => {
      const code = message.readUInt16LE(at + headerAt.command)
      const recorded = message.readBigUInt64LE(at + headerAt.messageId)
      const charge = Math.max(1, message.readUInt16LE(at + headerAt.creditCharge))
      const live = code === command.cancel ? (this.#messages.get(recorded) ?? 0n) : session.takeMessageIds(charge)
      this.#messages.set(recorded, live)
      message.writeBigUInt64LE(live, at + headerAt.messageId)
      message.writeUInt16LE(256, at + headerAt.credits)
      message.writeBigUInt64LE(session.sessionId, at + headerAt.sessionId)
      const tree = this.#trees.get(message.readUInt32LE(at + headerAt.treeId))
      if (tree !== undefined) message.writeUInt32LE(tree, at + headerAt.treeId)
      return { recorded, live, code }
    })
  }
}

/** Requests after the login, without the one that compares the login with what the client remembers of it (MS-SMB2 3.3.5.15.12). */
function belongsToReplay(bytes: Buffer): boolean {
  if (bytes[0] !== 0xfe || bytes.length < headerBytes + 2) return false
  const code = bytes.readUInt16LE(headerAt.command)
  if (code === command.negotiate || code === command.sessionSetup) return false
  const isValidation = code === command.ioctl && bytes.length >= headerBytes + 8 && bytes.readUInt32LE(headerBytes + 4) === fsctlValidateNegotiateInfo
  return !isValidation
}

/** Share of changed messages whose header stays changed: it mostly costs the connection, and then nothing behind it is tried. */
const brokenHeader = 0.08
/** What a server looks at before it looks at the command: protocol, size, credit charge, message id, session id. */
const vitalFields: readonly (readonly [from: number, to: number])[] = [
  [0, 8],
  [20, 32],
  [40, 48],
]

function restoreHeader(message: Buffer, original: Buffer): void {
  for (const [from, to] of vitalFields) if (message.length >= headerBytes) original.copy(message, from, from, to)
}

/** The frame to send for a message: its length may lie. */
function frameFor(message: Buffer, random: Random, wildness: Wildness): Buffer {
  const frame = frameOf(message)
  if (random.chance(wildness.wrongLength)) frame.writeUInt32BE(random.bits(), 0)
  return frame
}

/** Plays what comes after the login, within a session of its own. */
export async function replayInSession(
  conversation: Conversation,
  options: SessionOptions & { readonly random: Random; readonly wildness: Wildness; readonly onSend?: (frame: Buffer) => void },
): Promise<ReplayOutcome> {
  const { random, wildness } = options
  const { fileIds, treeIds } = recordedIds(conversation.messages)
  const requests = conversation.messages.filter(({ fromClient, bytes }) => fromClient && belongsToReplay(bytes))
  const translation = new Translation()
  await using session = await RawSession.login(options)
  let sent = 0
  let opened = 0
  for (const { bytes } of requests) {
    if (!session.isOpen) break
    // A real client never sends without a credit, and who does is thrown out at once.
    // One that is not answered any more (a frame's length lied, and the server waits for its rest) has ended.
    for (let wait = 0; session.credits < 4 && wait < 10 && session.isOpen; wait++) await session.echo().catch(() => session.close())
    if (!session.isOpen) break
    let message: Buffer = Buffer.from(bytes)
    const elements = translation.apply(message, session)
    const answers = elements
      .filter(({ code }) => code === command.create || code === command.treeConnect)
      .map(async ({ recorded, live, code }) => ({ recorded, code, answer: await session.answer(live, idTimeoutMs) }))

    if (random.chance(wildness.mutation)) {
      const header = Buffer.from(message.subarray(0, headerBytes))
      message = mutate(message, random, { structured: true })
      if (!random.chance(brokenHeader)) restoreHeader(message, header)
    }
    if (random.chance(wildness.disorder)) message = splice(message, random.pick(requests).bytes, random)
    if (!random.chance(wildness.unsigned)) session.sign(message)
    const frame = frameFor(message, random, wildness)
    options.onSend?.(frame)
    session.sendRaw(random.chance(wildness.disorder / 2) ? Buffer.concat([frame, frame]) : frame)
    sent++

    for (const { recorded, code, answer } of await Promise.all(answers)) {
      if (answer === undefined || answer.readUInt32LE(headerAt.status) !== 0) continue
      const fileId = fileIds.get(recorded)
      const treeId = treeIds.get(recorded)
      if (code === command.treeConnect && treeId !== undefined) translation.addTree(treeId, answer.readUInt32LE(headerAt.treeId))
      if (code !== command.create || answer.length < fileIdAt + fileIdBytes) continue
      opened++
      if (fileId !== undefined) translation.addFile(fileId, answer.subarray(fileIdAt, fileIdAt + fileIdBytes))
    }
  }
  // Lets the last answers come, so that the server is not always cut off.
  if (session.isOpen && random.chance(0.5)) await session.echo().catch(() => undefined)
  return { sent, opened }
}

/** Plays the whole recording, login and all, without knowing any key: what a stranger can do. */
export async function replayRaw(
  conversation: Conversation,
  options: SessionOptions & { readonly random: Random; readonly wildness: Wildness; readonly onSend?: (frame: Buffer) => void },
): Promise<ReplayOutcome> {
  const { random, wildness } = options
  await using session = await RawSession.connect(options)
  let sent = 0
  for (const { fromClient, bytes } of conversation.messages) {
    if (!session.isOpen) break
    if (!fromClient) continue
    const message = random.chance(wildness.mutation) ? mutate(bytes, random, { structured: true }) : bytes
    const frame = frameFor(message, random, wildness)
    options.onSend?.(frame)
    session.sendRaw(frame)
    sent++
    if (random.chance(0.2)) await new Promise(resolve => setTimeout(resolve, random.below(5)))
  }
  return { sent, opened: 0 }
}
