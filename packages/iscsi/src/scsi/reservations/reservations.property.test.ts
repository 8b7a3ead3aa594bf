import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { CheckCondition } from '../sense.ts'
import { testNexus } from '../test-support/initiator.ts'
import { conflict, OutAction, outActions } from './actions.ts'
import type { OutRequest } from './actions.ts'
import { recordOf, stateOf } from './record.ts'
import { isHolder, noReservations, reservationTypes, ReservationType, restrictionOf } from './state.ts'
import type { Change, Registration, ReservationState } from './state.ts'
import { registrantOf } from './transport-id.ts'

const hosts = 4
const people: readonly Registration[] = Array.from({ length: hosts }, (_, index) => {
  const nexus = testNexus(index + 1)
  return { registrant: registrantOf(nexus), transportId: nexus.transportId, relativeTargetPort: 1, key: 0n }
})

interface Step {
  readonly action: number
  readonly host: number
  readonly type: number
  readonly key: number
  readonly serviceActionKey: number
  readonly isPersistent: boolean
  readonly others: readonly number[] | undefined
  readonly destination: number
  readonly unregisters: boolean
}

/** Few keys, so that they are right often, and shared sometimes. */
const key = fc.nat(3)
const host = fc.nat(hosts - 1)
const step: fc.Arbitrary<Step> = fc.record({
  action: fc.constantFrom(...Object.values(OutAction)),
  host,
  type: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...Object.values(ReservationType)) }, { weight: 1, arbitrary: fc.nat(15) }),
  key,
  serviceActionKey: key,
  isPersistent: fc.boolean(),
  others: fc.option(fc.uniqueArray(host, { maxLength: 2 }), { freq: 6, nil: undefined }),
  destination: host,
  unregisters: fc.boolean(),
})

function requestOf(step: Step, state: ReservationState): OutRequest {
  const me = people[step.host]
  // Half of the time the key is the right one: else nearly everything would be a conflict.
  const own = state.registrations.get(me.registrant)?.key ?? 0n
  return {
    registrant: me.registrant,
    transportId: me.transportId,
    relativeTargetPort: 1,
    type: step.type,
    key: step.key % 2 === 0 ? own : BigInt(step.key),
    serviceActionKey: BigInt(step.serviceActionKey),
    isPersistent: step.isPersistent,
    siblings: [],
    destination: people[step.destination],
    unregisters: step.unregisters,
    ...(step.others === undefined ? {} : { others: step.others.map(index => people[index]) }),
  }
}

/** The change; undefined for a conflict or a refusal. */
function play(state: ReservationState, { action }: Step, request: OutRequest): Change | undefined {
  try {
    const change = outActions[action](state, request)
    return change === conflict ? undefined : change
  } catch (error) {
    assert.ok(error instanceof CheckCondition, String(error))
    return undefined
  }
}

function checkState(state: ReservationState): void {
  const { registrations, reservation } = state
  for (const [registrant, registration] of registrations) {
    assert.equal(registration.registrant, registrant)
    assert.notEqual(registration.key, 0n)
  }
  if (reservation !== undefined) {
    assert.ok(reservationTypes[reservation.type] !== undefined)
    const holders = people.filter(({ registrant }) => isHolder(state, registrant))
    assert.ok(holders.length > 0, 'a reservation is held')
    assert.equal(reservation.holder === undefined, reservationTypes[reservation.type].isHeldByAll)
    if (reservation.holder !== undefined) assert.ok(registrations.has(reservation.holder), 'a holder is registered')
    for (const { registrant } of holders) assert.equal(restrictionOf(state, registrant), 'none')
  }
  const persistent = { ...state, isPersistent: true }
  assert.deepEqual(stateOf(JSON.parse(JSON.stringify(recordOf(persistent))) as ReturnType<typeof recordOf>), persistent)
}

/** Service actions that count as a change of registrations (SPC-4 6.15.2: PRGENERATION). */
const counted: ReadonlySet<number> = new Set(Object.values(OutAction).filter(action => action !== OutAction.reserve && action !== OutAction.release))
/** Service actions that may take something from others. */
const takes: ReadonlySet<number> = new Set([OutAction.clear, OutAction.preempt, OutAction.preemptAndAbort])

function checkStep(before: ReservationState, { action }: Step, request: OutRequest, { state: after, attentions, aborted }: Change): void {
  const { registrant } = request
  const isRegistering = action === OutAction.register || action === OutAction.registerAndIgnoreExistingKey
  assert.equal(after.generation, before.generation + (counted.has(action) ? 1 : 0))
  if (!before.registrations.has(registrant)) assert.ok(isRegistering, 'a stranger only registers')
  for (const other of people.filter(person => person.registrant !== registrant)) {
    const had = before.registrations.get(other.registrant)
    const has = after.registrations.get(other.registrant)
    if (had !== undefined && has === undefined) {
      assert.ok(takes.has(action), 'others lose a registration only by CLEAR and PREEMPT')
      assert.ok(
        attentions.some(attention => attention.registrant === other.registrant),
        'who loses its registration is told',
      )
    }
    const isMoved = action === OutAction.registerAndMove && other.registrant === request.destination?.registrant
    if (had !== undefined && has !== undefined && !isMoved) assert.equal(has.key, had.key)
  }
  for (const attention of attentions) {
    assert.notEqual(attention.registrant, registrant, 'who asks is not told')
    assert.ok(before.registrations.has(attention.registrant), 'strangers are not told')
  }
  for (const victim of aborted) assert.ok(!after.registrations.has(victim))
  if (before.reservation !== undefined && after.reservation === undefined && !isHolder(before, registrant))
    assert.equal(action, OutAction.clear, 'who does not hold the reservation releases it only by CLEAR')
}

test('whatever is asked for in whatever order: who reserves is registered, nobody loses anything to a stranger, all who lose are told', () => {
  const seen = new Set<number>()
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }), steps => {
      let state = noReservations
      for (const one of steps) {
        const request = requestOf(one, state)
        const change = play(state, one, request)
        if (change === undefined) continue
        seen.add(one.action)
        checkStep(state, one, request, change)
        checkState(change.state)
        state = change.state
      }
    }),
    { numRuns: 1000 },
  )
  assert.equal(seen.size, Object.keys(OutAction).length, 'each service action succeeded at least once')
})

test('a reservation never stands against more than its table says', () => {
  for (const type of Object.values(ReservationType)) {
    const [holder, other, stranger] = people
    const registrations = new Map([holder, other].map(person => [person.registrant, { ...person, key: 1n }]))
    const state: ReservationState = {
      generation: 0,
      registrations,
      reservation: { type, holder: reservationTypes[type].isHeldByAll ? undefined : holder.registrant },
      isPersistent: false,
    }
    const { isExclusive, letsRegistrants } = reservationTypes[type]
    const restriction = isExclusive ? 'all' : 'writes'
    assert.deepEqual(
      [holder, other, stranger].map(({ registrant }) => restrictionOf(state, registrant)),
      ['none', letsRegistrants ? 'none' : restriction, restriction],
    )
  }
})
