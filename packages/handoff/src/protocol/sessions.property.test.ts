import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { AgentSessions, pushOutMs, sessionTable } from './agent-sessions.ts'
import type { DirectorPeer, Relation } from './agent-sessions.ts'
import { bodies, encodeMessage } from './codec.ts'
import { DirectorSession, linkTable } from './director-session.ts'
import { MessageType } from './messages.ts'
import { vectors } from './protocol.vectors.ts'

const seed = 20_261_121

test('both tables, whole', () => {
  const lines = Object.entries(linkTable).map(
    ([state, row]) =>
      `${state}: ${Object.entries(row)
        .map(([event, [action, next]]) => `${event} ${action} ${next}`)
        .join(', ')}`,
  )
  assert.deepEqual(lines, [
    'greeting: tick greet greeting, welcome begin established, stranger nothing greeting, message nothing greeting, silence nothing greeting, close nothing closed',
    'established: tick beat established, welcome nothing established, stranger forget greeting, message deliver established, silence forget greeting, close nothing closed',
    'closed: tick nothing closed, welcome nothing closed, stranger nothing closed, message nothing closed, silence nothing closed, close nothing closed',
  ])
  assert.deepEqual(sessionTable, { unknown: 'stranger', foreign: 'nothing', seen: 'nothing', offered: 'begin', live: 'deliver' } satisfies Record<
    Relation,
    string
  >)
})

/** A datagram of a type with these numbers; its MAC is nobody's business here. */
function datagram(type: MessageType, session: number, sequence: number, nonce?: number): Buffer {
  const { message } = vectors.find(vector => vector.message.type === type)!
  const values = nonce === undefined ? message.values : [{ ...message.values[0], nonce }]
  const bytes = Buffer.alloc(500)
  return bytes.subarray(0, encodeMessage({ ...message, session, sequence, values, mac: Buffer.alloc(16) }, bytes))
}

/** All that a session shows of itself. */
const stateOf = (session: DirectorSession): readonly unknown[] => [session.state, session.number, session.nonce]

const agentTypes = Object.values(MessageType).filter(
  type => bodies[type].from === 'agent' && type !== MessageType.welcome && type !== MessageType.stranger,
)

describe("the director's side", () => {
  function established(): DirectorSession {
    let next = 100
    const session = new DirectorSession(() => next++)
    const welcome = datagram(MessageType.welcome, 7, 0, session.nonce)
    assert.equal(session.eventOf(welcome, 0), 'welcome')
    assert.equal(session.apply('welcome', 7), 'begin')
    return session
  }

  test('messages of the session come once each, in any order, and nothing else is an event', () => {
    const sent = fc.record({
      type: fc.constantFrom(...Object.values(MessageType)),
      session: fc.constantFrom(7, 7, 7, 8, 0),
      sequence: fc.integer({ min: 0, max: 60 }),
      nonce: fc.constantFrom(99, 100, 101),
    })
    fc.assert(
      fc.property(fc.array(sent, { maxLength: 200 }), messages => {
        const session = established()
        const before = stateOf(session)
        const come = new Set<number>()
        for (const { type, session: number, sequence, nonce } of messages) {
          if (type === MessageType.stranger && number === 7) continue
          const bytes = datagram(type, number, sequence, type === MessageType.welcome ? nonce : undefined)
          const isOurs = agentTypes.includes(type) && number === 7 && sequence > 0 && !come.has(sequence)
          const event = session.eventOf(bytes, 0)
          assert.equal(event, isOurs ? 'message' : undefined)
          assert.equal(session.eventOf(bytes, 0), event, 'asking changes nothing')
          assert.deepEqual(stateOf(session), before)
          // Every other one has a wrong MAC: nobody applies it, and it may come again.
          if (event === undefined || sequence % 2 === 0) continue
          assert.equal(session.apply(event, number, sequence), 'deliver')
          come.add(sequence)
          assert.deepEqual(stateOf(session), before)
        }
      }),
      { numRuns: 200, seed },
    )
  })

  test('a WELCOME of another greeting, or of one that is over, is none', () => {
    const session = new DirectorSession(() => 5)
    assert.equal(session.eventOf(datagram(MessageType.welcome, 7, 0, 6), 0), undefined)
    const welcome = datagram(MessageType.welcome, 7, 0, 5)
    session.apply(session.eventOf(welcome, 0)!, 7)
    assert.equal(session.eventOf(welcome, 0), undefined)
    assert.equal(session.number, 7)
  })

  test('STRANGER ends the session that it names and no other; the next greeting has another nonce, and numbers begin anew', () => {
    const session = established()
    const { nonce } = session
    assert.equal(session.nextSequence(), 1)
    assert.equal(session.eventOf(datagram(MessageType.stranger, 6, 0), 0), undefined)
    const stranger = datagram(MessageType.stranger, 7, 0)
    assert.equal(session.apply(session.eventOf(stranger, 0)!), 'forget')
    assert.equal(session.state, 'greeting')
    assert.notEqual(session.nonce, nonce)
    assert.equal(session.eventOf(stranger, 0), undefined, 'the same once more')
    session.apply(session.eventOf(datagram(MessageType.welcome, 9, 0, session.nonce), 0)!, 9)
    assert.equal(session.eventOf(stranger, 0), undefined, 'of the session before')
    assert.equal(session.nextSequence(), 1)
    assert.equal(session.eventOf(datagram(MessageType.busy, 9, 1), 0), 'message')
  })
})

describe("the server agent's side", () => {
  const address = (last: number): Buffer => Buffer.alloc(16, last)

  function agent(directorsMax = 3): { sessions: AgentSessions; told: string[] } {
    let number = 1000
    const told: string[] = []
    const sessions = new AgentSessions({
      directorsMax,
      random: () => number++,
      onKnown: peer => told.push(`known ${peer.director}`),
      onForgotten: peer => told.push(`forgotten ${peer.director}`),
    })
    return { sessions, told }
  }

  /** What the agent does with a message whose MAC is right. */
  function take(sessions: AgentSessions, number: number, from: number, sequence: number, nowMs = 0): string {
    const session = sessions.find(number)
    const action = sessionTable[sessions.relationOf(session, address(from), from, sequence)]
    if (session === undefined || action === 'nothing' || action === 'stranger') return action
    return sessions.received(session, sequence, nowMs) ? action : 'no room'
  }

  const liveOf = (sessions: AgentSessions): readonly (readonly unknown[])[] =>
    [...sessions.peers].map(peer => [peer.director, peer.endpoint.text, sessions.sessionOf(peer)?.number])

  test('HELLOs, however many and from wherever, change no live session and no known director', () => {
    const hello = fc.record({ director: fc.integer({ min: 1, max: 6 }), from: fc.integer({ min: 1, max: 6 }) })
    fc.assert(
      fc.property(fc.array(hello, { maxLength: 60 }), hellos => {
        const { sessions, told } = agent()
        const { number } = sessions.offer(1, address(1), 1)
        assert.equal(take(sessions, number, 1, 1), 'begin')
        const before = liveOf(sessions)
        for (const { director, from } of hellos) {
          const offer = sessions.offer(director, address(from), from)
          assert.notEqual(offer.number, number)
          assert.equal(sessions.offer(director, address(from), from), offer, 'the same until it is taken')
        }
        assert.deepEqual(liveOf(sessions), before)
        assert.deepEqual(told, ['known 1'])
        assert.equal(take(sessions, number, 1, 2), 'deliver')
      }),
      { numRuns: 100, seed },
    )
  })

  test('replayed, reordered, duplicated, foreign and old messages are delivered once at most, and change nothing else', () => {
    const message = fc.record({ which: fc.integer({ min: 0, max: 2 }), from: fc.constantFrom(1, 1, 1, 2), sequence: fc.integer({ min: 0, max: 40 }) })
    fc.assert(
      fc.property(fc.array(message, { maxLength: 200 }), messages => {
        const { sessions, told } = agent()
        const numbers = [sessions.offer(1, address(1), 1).number]
        take(sessions, numbers[0], 1, 50)
        // The second session of the same director: the first one is over.
        numbers.push(sessions.offer(1, address(1), 1).number, 4711)
        take(sessions, numbers[1], 1, 50)
        const before = liveOf(sessions)
        const come = new Set<number>()
        for (const { which, from, sequence } of messages) {
          const isNew = which === 1 && from === 1 && sequence > 0 && !come.has(sequence)
          const wanted = which !== 1 ? 'stranger' : isNew ? 'deliver' : 'nothing'
          assert.equal(take(sessions, numbers[which], from, sequence), wanted)
          if (isNew) come.add(sequence)
          assert.deepEqual(liveOf(sessions), before)
        }
        assert.deepEqual(told, ['known 1'])
      }),
      { numRuns: 200, seed },
    )
  })

  test('a director keeps its object from session to session, and is another one with another number or at another place', () => {
    const { sessions, told } = agent()
    const begin = (director: number, from: number): DirectorPeer => {
      const { number } = sessions.offer(director, address(from), from)
      assert.equal(take(sessions, number, from, 1), 'begin')
      return sessions.find(number)!.peer!
    }
    const first = begin(1, 1)
    const { number } = sessions.sessionOf(first)!
    assert.equal(begin(1, 1), first)
    assert.equal(take(sessions, number, 1, 2), 'stranger')
    const moved = begin(1, 2)
    assert.notEqual(moved, first)
    assert.equal(sessions.sessionOf(first), undefined)
    begin(2, 2)
    assert.deepEqual(told, ['known 1', 'forgotten 1', 'known 1', 'forgotten 1', 'known 2'])
  })

  test('there is room for so many directors; one that has been quiet for long gives way, others do not', () => {
    const { sessions, told } = agent(2)
    const begin = (director: number, nowMs: number): string =>
      take(sessions, sessions.offer(director, address(director), director).number, director, 1, nowMs)
    begin(1, 0)
    begin(2, 5)
    assert.equal(begin(3, pushOutMs - 1), 'no room')
    assert.deepEqual(
      liveOf(sessions).map(([director]) => director),
      [1, 2],
    )
    assert.equal(begin(3, pushOutMs), 'begin')
    assert.deepEqual(told, ['known 1', 'known 2', 'forgotten 1', 'known 3'])
  })

  test('offers are as many as directors at most: the oldest is withdrawn', () => {
    const { sessions } = agent(2)
    const [first, second, third] = [1, 2, 3].map(director => sessions.offer(director, address(director), director).number)
    assert.equal(take(sessions, first, 1, 1), 'stranger')
    assert.equal(take(sessions, second, 2, 1), 'begin')
    assert.equal(take(sessions, third, 3, 1), 'begin')
  })
})
