/** What a fuzzer feeds with bytes: whatever reads a datagram, and what an operator writes into files. */
import { MalformedError } from '@holdfast/wire'
import { AgentSessions, sessionTable } from './agent-sessions.ts'
import { bodies, decodeMessage, headerBytes, problemOf, readNumber, sequenceAt, sessionAt } from './codec.ts'
import { DirectorSession } from './director-session.ts'
import { parseEndpoint } from './endpoint.ts'
import { createMac } from './mac.ts'
import * as messages from './messages.ts'
import { vectorKey, vectors } from './protocol.vectors.ts'
import { reused } from './reused.ts'

/** Takes bytes of a peer; throws MalformedError and nothing else. */
export type Decoder = (bytes: Buffer) => unknown

interface Layout {
  readonly fixedSize: number
  decode(bytes: Buffer, at?: number, end?: number): object
}

const all = vectors.map(({ bytes }) => bytes)
const layouts = Object.entries(messages).filter(
  (entry): entry is [string, Layout & (typeof entry)[1]] => typeof entry[1] === 'object' && 'fixedSize' in entry[1],
)
const mac = createMac(vectorKey)

/** What `problemOf` lets through can be taken apart, but for a number that is too large. */
function agree(bytes: Buffer): unknown {
  const problem = problemOf(bytes, 0, bytes.length)
  try {
    const message = decodeMessage(bytes)
    if (problem !== undefined) throw new Error(`decoded in spite of ${problem}`)
    return message
  } catch (error) {
    if (problem === undefined && error instanceof MalformedError && error.code !== 'unsafe-integer')
      throw new Error('decoding found more', { cause: error })
    throw error
  }
}

/** A datagram that is not for this director's session, whatever it is: nothing changes. */
const director = new DirectorSession(() => 4711)

/** An agent with a session that the vectors are of, and its answer to a datagram, the MAC aside. */
function agentAnswer(bytes: Buffer): unknown {
  const problem = problemOf(bytes, 0, bytes.length)
  if (problem !== undefined) throw new MalformedError(problem)
  const sessions = new AgentSessions({ directorsMax: 4, random: () => 0x1234567890, onKnown: () => {}, onForgotten: () => {} })
  const source = Buffer.alloc(16, 1)
  sessions.offer(1, source, 2)
  const sequence = readNumber(bytes, sequenceAt)
  const session = sessions.find(readNumber(bytes, sessionAt))
  const action = sessionTable[sessions.relationOf(session, source, 2, sequence)]
  if (action === 'begin' && session !== undefined) sessions.received(session, sequence, 0)
  return action
}

/** By name. */
export const decoders: Readonly<Record<string, { readonly decode: Decoder; readonly seeds: readonly Buffer[] }>> = {
  ...Object.fromEntries(
    layouts.map(([name, layout]) => [
      name,
      {
        decode: (bytes: Buffer) => layout.decode(bytes),
        seeds:
          name === 'Header'
            ? all
            : vectors.filter(({ message }) => (bodies[message.type].layout as unknown) === layout).map(({ bytes }) => bytes.subarray(headerBytes)),
      },
    ]),
  ),
  message: { decode: agree, seeds: all },
  'Handoff, reused': {
    decode: bytes => (bytes.length < messages.Handoff.fixedSize ? undefined : reused(messages.Handoff).read(bytes, 0)),
    seeds: [all[0].subarray(headerBytes)],
  },
  'MAC, sealed with another key': { decode: bytes => (bytes.length < headerBytes ? undefined : mac.verify(bytes, 0, bytes.length)), seeds: all },
  'director, a datagram': { decode: bytes => (problemOf(bytes, 0, bytes.length) === undefined ? director.eventOf(bytes, 0) : undefined), seeds: all },
  'server agent, a datagram': { decode: agentAnswer, seeds: all },
  parseEndpoint: {
    decode(bytes) {
      try {
        return parseEndpoint(bytes.toString())
      } catch (error) {
        // It is an operator's, not a peer's: UsageError.
        if (error instanceof Error && error.name === 'UsageError') throw new MalformedError('bad-endpoint', error.message)
        throw error
      }
    },
    seeds: ['10.0.0.1:7001', '[2001:db8::1]:7001', '[::ffff:1.2.3.4]:1'].map(text => Buffer.from(text)),
  },
}
