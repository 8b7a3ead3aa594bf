import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AccessState, AccessStatusCode } from '../ports.ts'
import { Status } from '../status.ts'
import { testNexus, testUnit, TestInitiator } from '../test-support/initiator.ts'
import {
  persistentReserveOut,
  readKeys,
  readReservation,
  registerAndMove,
  registerIgnoring,
  release,
  reserve,
} from '../test-support/persistent-reserve.ts'
import { OutAction } from './actions.ts'
import { memoryReservationStore } from './record.ts'
import type { ReservationRecord, ReservationStore } from './record.ts'
import { ReservationType, reservationTypes } from './state.ts'

const { register, clear, preempt, preemptAndAbort } = OutAction
const types = Object.values(ReservationType)
const isHeldByAll = (type: number): boolean => reservationTypes[type].isHeldByAll
const SPEC_I_PT = 0x08
const ALL_TG_PT = 0x04
const APTPL = 0x01
const UNREG = 0x02

/** Three initiators, all registered: 1, 2 and 3 are their keys. */
async function registered(options: Parameters<typeof testUnit>[1] = {}): Promise<Awaited<ReturnType<typeof testUnit>>> {
  const result = await testUnit(3, options)
  for (const [index, initiator] of result.initiators.entries()) await registerIgnoring(initiator, BigInt(index + 1))
  return result
}

test('REGISTER: a stranger has key 0, who is registered has its own; any other meets a conflict (SPC-4 table "Register behaviors")', async () => {
  const { initiators } = await testUnit(1)
  const [a] = initiators
  assert.equal((await persistentReserveOut(a, register, { key: 9n, serviceActionKey: 1n })).status, Status.reservationConflict)
  assert.equal((await persistentReserveOut(a, register, { serviceActionKey: 1n })).status, Status.good)
  assert.equal((await persistentReserveOut(a, register, { serviceActionKey: 2n })).status, Status.reservationConflict)
  assert.equal((await persistentReserveOut(a, register, { key: 2n, serviceActionKey: 0n })).status, Status.reservationConflict)
  assert.equal((await persistentReserveOut(a, register, { key: 1n, serviceActionKey: 2n })).status, Status.good)
  assert.deepEqual(await readKeys(a), { generation: 2, keys: [2n] })
  assert.equal((await persistentReserveOut(a, register, { key: 2n, serviceActionKey: 0n })).status, Status.good)
  assert.deepEqual(await readKeys(a), { generation: 3, keys: [] })
})

test('REGISTER AND IGNORE EXISTING KEY does without the key', async () => {
  const { initiators } = await testUnit(1)
  const [a] = initiators
  await registerIgnoring(a, 0n)
  await registerIgnoring(a, 1n)
  await persistentReserveOut(a, OutAction.registerAndIgnoreExistingKey, { key: 77n, serviceActionKey: 2n })
  assert.deepEqual((await readKeys(a)).keys, [2n])
  await registerIgnoring(a, 0n)
  assert.deepEqual((await readKeys(a)).keys, [])
})

test('RESERVE and RELEASE: by registrants with their key, of all types, released with the same type only', async () => {
  for (const type of types) {
    const { initiators } = await registered()
    const [a, b] = initiators
    const { generation } = await readKeys(a)
    assert.equal((await reserve(a, 9n, type)).status, Status.reservationConflict, 'wrong key')
    assert.equal((await reserve(a, 1n, type)).status, Status.good)
    assert.equal((await reserve(a, 1n, type)).status, Status.good, 'the same again')
    assert.equal((await reserve(b, 2n, type)).status, isHeldByAll(type) ? Status.good : Status.reservationConflict)
    const other = type === ReservationType.writeExclusive ? ReservationType.exclusiveAccess : ReservationType.writeExclusive
    assert.equal((await reserve(a, 1n, other)).status, Status.reservationConflict, 'another type')
    assert.deepEqual(await readReservation(b), { key: isHeldByAll(type) ? 0n : 1n, type })
    const wrong = await release(a, 1n, other)
    assert.equal(wrong.text, 'ILLEGAL REQUEST: INVALID RELEASE OF PERSISTENT RESERVATION')
    assert.equal((await release(a, 9n, type)).status, Status.reservationConflict)
    assert.equal((await release(b, 2n, type)).status, Status.good)
    await a.attentions()
    if (!isHeldByAll(type)) assert.notEqual(await readReservation(a), undefined, 'who holds nothing releases nothing')
    assert.equal((await release(a, 1n, type)).status, Status.good)
    assert.equal(await readReservation(a), undefined)
    assert.deepEqual((await readKeys(a)).generation, generation, 'PRGENERATION stays')
  }
})

test('RELEASE of a type for registrants tells the other registrants, of another type nobody (SPC-4 5.13.11.2.2)', async () => {
  for (const type of types) {
    const { initiators } = await registered()
    const [a, b] = initiators
    await reserve(a, 1n, type)
    await release(a, 1n, type)
    assert.deepEqual(await a.attentions(), [])
    assert.deepEqual(await b.attentions(), reservationTypes[type].letsRegistrants ? ['RESERVATIONS RELEASED'] : [], `type ${type}`)
  }
})

test('a type that there is not, and a scope other than the unit, end with INVALID FIELD IN CDB', async () => {
  const { initiators } = await registered()
  for (const type of [0, 2, 4, 9, 0xf]) assert.deepEqual((await reserve(initiators[0], 1n, type)).error?.field, { in: 'cdb', byte: 2, bit: 3 })
  assert.deepEqual((await reserve(initiators[0], 1n, 0x11)).error?.field, { in: 'cdb', byte: 2, bit: 7 })
})

test('a holder that unregisters releases its reservation; one that all hold stays until the last has gone (SPC-4 5.13.11.2.3)', async () => {
  for (const type of types) {
    const { initiators } = await registered()
    const [a, b, c] = initiators
    await reserve(a, 1n, type)
    await registerIgnoring(a, 0n)
    if (isHeldByAll(type)) {
      assert.deepEqual(await readReservation(b), { key: 0n, type })
      assert.deepEqual(await b.attentions(), [])
      await registerIgnoring(b, 0n)
      await registerIgnoring(c, 0n)
    } else {
      for (const other of [b, c]) assert.deepEqual(await other.attentions(), reservationTypes[type].letsRegistrants ? ['RESERVATIONS RELEASED'] : [])
    }
    assert.equal(await readReservation(c), undefined, `type ${type}`)
  }
})

test('a new key keeps the reservation', async () => {
  const { initiators } = await registered()
  const [a] = initiators
  await reserve(a, 1n, ReservationType.exclusiveAccess)
  await persistentReserveOut(a, register, { key: 1n, serviceActionKey: 11n })
  assert.deepEqual(await readReservation(a), { key: 11n, type: ReservationType.exclusiveAccess })
})

test('CLEAR takes everything away, and tells the others RESERVATIONS PREEMPTED', async () => {
  const { initiators } = await registered()
  const [a, b, c] = initiators
  await reserve(c, 3n, ReservationType.exclusiveAccess)
  const { generation } = await readKeys(a)
  assert.equal((await persistentReserveOut(a, clear, { key: 9n })).status, Status.reservationConflict)
  assert.equal((await persistentReserveOut(a, clear, { key: 1n })).status, Status.good)
  assert.deepEqual(await readKeys(a), { generation: generation + 1, keys: [] })
  assert.equal(await readReservation(a), undefined)
  assert.deepEqual(await a.attentions(), [])
  for (const other of [b, c]) assert.deepEqual(await other.attentions(), ['RESERVATIONS PREEMPTED'])
})

test('PREEMPT of the holder takes its registration and its reservation (SPC-4 5.13.11.2.4)', async () => {
  const { initiators } = await registered()
  const [a, b, c] = initiators
  await registerIgnoring(c, 2n) // the holder's key twice
  await reserve(b, 2n, ReservationType.exclusiveAccess)
  const { generation } = await readKeys(a)
  assert.equal((await persistentReserveOut(a, preempt, { key: 1n, serviceActionKey: 2n, type: 1 })).status, Status.good)
  assert.deepEqual(await readKeys(a), { generation: generation + 1, keys: [1n] })
  assert.deepEqual(await readReservation(a), { key: 1n, type: 1 })
  for (const victim of [b, c]) assert.deepEqual(await victim.attentions(), ['REGISTRATIONS PREEMPTED'])
})

test('PREEMPT that changes the type tells who stays registered RESERVATIONS RELEASED', async () => {
  for (const [type, heard] of [
    [ReservationType.writeExclusive, ['RESERVATIONS RELEASED']],
    [ReservationType.exclusiveAccess, []],
  ] as const) {
    const { initiators } = await registered()
    const [a, b, c] = initiators
    await reserve(b, 2n, ReservationType.exclusiveAccess)
    await persistentReserveOut(a, preempt, { key: 1n, serviceActionKey: 2n, type })
    assert.deepEqual(await c.attentions(), heard)
  }
})

test('a holder that preempts itself changes the type, and stays', async () => {
  const { initiators } = await registered()
  const [a] = initiators
  await reserve(a, 1n, ReservationType.exclusiveAccess)
  await persistentReserveOut(a, preempt, { key: 1n, serviceActionKey: 1n, type: ReservationType.writeExclusive })
  assert.deepEqual(await readReservation(a), { key: 1n, type: ReservationType.writeExclusive })
  assert.deepEqual((await readKeys(a)).keys, [1n, 2n, 3n])
})

test('PREEMPT of a reservation that all hold: with key 0, from everybody; with another key, that key only', async () => {
  const type = ReservationType.writeExclusiveAllRegistrants
  const { initiators } = await registered()
  const [a, b, c] = initiators
  await reserve(a, 1n, type)
  await persistentReserveOut(a, preempt, { key: 1n, serviceActionKey: 2n, type })
  assert.deepEqual((await readKeys(a)).keys, [1n, 3n])
  assert.deepEqual(await readReservation(a), { key: 0n, type })
  assert.deepEqual([await b.attentions(), await c.attentions()], [['REGISTRATIONS PREEMPTED'], []])
  await persistentReserveOut(c, preempt, { key: 3n, serviceActionKey: 0n, type: ReservationType.exclusiveAccess })
  assert.deepEqual((await readKeys(c)).keys, [3n])
  assert.deepEqual(await readReservation(c), { key: 3n, type: ReservationType.exclusiveAccess })
  assert.deepEqual(await a.attentions(), ['REGISTRATIONS PREEMPTED'])
})

test('PREEMPT without a reservation, or of somebody who holds none, only takes registrations; the own one as well (SPC-4 5.13.11.2.5)', async () => {
  const { initiators } = await registered()
  const [a, b, c] = initiators
  assert.equal((await persistentReserveOut(a, preempt, { key: 1n, serviceActionKey: 9n, type: 1 })).status, Status.reservationConflict)
  const none = await persistentReserveOut(a, preempt, { key: 1n, serviceActionKey: 0n, type: 1 })
  assert.deepEqual(none.error?.field, { in: 'parameters', byte: 8 })
  await persistentReserveOut(a, preempt, { key: 1n, serviceActionKey: 2n, type: 1 })
  assert.deepEqual((await readKeys(a)).keys, [1n, 3n])
  assert.equal(await readReservation(a), undefined)
  assert.deepEqual(await b.attentions(), ['REGISTRATIONS PREEMPTED'])
  await reserve(c, 3n, ReservationType.writeExclusive)
  await persistentReserveOut(a, preempt, { key: 1n, serviceActionKey: 1n, type: 1 })
  assert.deepEqual((await readKeys(a)).keys, [3n])
  assert.deepEqual(await a.attentions(), [])
})

test('nobody but registrants with their key clears, preempts or moves', async () => {
  const { initiators } = await testUnit(2)
  const [a, stranger] = initiators
  await registerIgnoring(a, 1n)
  for (const action of [OutAction.reserve, OutAction.release, clear, preempt, preemptAndAbort])
    for (const key of [0n, 1n]) {
      const { status } = await persistentReserveOut(stranger, action, { key, serviceActionKey: 1n, type: 1 })
      assert.equal(status, Status.reservationConflict, `service action ${action}`)
    }
  const moved = await registerAndMove(stranger, { key: 1n, serviceActionKey: 1n, transportId: a.nexus.transportId })
  assert.equal(moved.status, Status.reservationConflict)
})

test('REGISTER AND MOVE gives the reservation to another port, registered by that (SPC-4 5.13.8)', async () => {
  const { initiators } = await testUnit(3)
  const [a, b, c] = initiators
  const { transportId } = b.nexus
  await registerIgnoring(a, 1n)
  await registerIgnoring(c, 3n)
  assert.deepEqual((await registerAndMove(a, { key: 1n, serviceActionKey: 2n, transportId })).error?.field, { in: 'cdb', byte: 1, bit: 4 })
  await reserve(a, 1n, ReservationType.exclusiveAccess)
  assert.equal((await registerAndMove(c, { key: 3n, serviceActionKey: 2n, transportId })).status, Status.reservationConflict)
  assert.equal((await registerAndMove(a, { key: 1n, serviceActionKey: 0n, transportId })).error?.field?.byte, 8)
  assert.equal((await registerAndMove(a, { key: 1n, serviceActionKey: 2n, transportId: a.nexus.transportId })).error?.field?.byte, 24)
  assert.equal((await registerAndMove(a, { key: 1n, serviceActionKey: 2n, transportId, port: 7 })).error?.field?.byte, 18)
  assert.equal((await registerAndMove(a, { key: 1n, serviceActionKey: 2n, transportId: Buffer.alloc(24, 0x45) })).error?.field?.byte, 24)
  assert.equal((await registerAndMove(a, { key: 1n, serviceActionKey: 2n, transportId })).status, Status.good)
  assert.deepEqual(await readReservation(b), { key: 2n, type: ReservationType.exclusiveAccess })
  assert.deepEqual((await readKeys(a)).keys, [1n, 3n, 2n])
  await registerAndMove(b, { key: 2n, serviceActionKey: 11n, flags: UNREG, transportId: a.nexus.transportId })
  assert.deepEqual((await readKeys(a)).keys, [11n, 3n])
  assert.deepEqual(await readReservation(a), { key: 11n, type: ReservationType.exclusiveAccess })
})

test('a reservation that all registrants hold cannot be moved', async () => {
  const { initiators } = await registered()
  await reserve(initiators[0], 1n, ReservationType.writeExclusiveAllRegistrants)
  const { status } = await registerAndMove(initiators[0], { key: 1n, serviceActionKey: 2n, transportId: initiators[1].nexus.transportId })
  assert.equal(status, Status.reservationConflict)
})

test('SPEC_I_PT registers others as well: all of them, or nobody (SPC-4 6.16.3)', async () => {
  const { initiators } = await testUnit(3)
  const [a, b, c] = initiators
  await registerIgnoring(c, 3n)
  const specify = (transportIds: Buffer[], key = 0n) =>
    persistentReserveOut(a, register, { key, serviceActionKey: 1n, flags: SPEC_I_PT, transportIds })
  const taken = await specify([b.nexus.transportId, c.nexus.transportId])
  assert.equal(taken.error?.field?.byte, 28)
  assert.deepEqual((await readKeys(a)).keys, [3n])
  assert.equal((await specify([b.nexus.transportId, b.nexus.transportId])).error?.field?.byte, 28)
  assert.equal((await specify([Buffer.alloc(24)])).error?.field?.byte, 28)
  assert.equal((await specify([b.nexus.transportId])).status, Status.good)
  assert.deepEqual((await readKeys(a)).keys, [3n, 1n, 1n])
  assert.equal((await reserve(b, 1n, 1)).status, Status.good)
  assert.deepEqual((await specify([b.nexus.transportId], 1n)).error?.field, { in: 'parameters', byte: 20, bit: 3 })
})

test('a TransportID that names a node means its ports that are logged in (SPC-4 7.6.4.6, format 00b)', async () => {
  const { initiators } = await testUnit(2)
  const [a, b] = initiators
  const name = Buffer.alloc(40)
  name[0] = 0x05
  name[3] = 36
  name.write(b.nexus.initiatorName, 4)
  await persistentReserveOut(a, register, { serviceActionKey: 1n, flags: SPEC_I_PT, transportIds: [name] })
  assert.equal((await reserve(b, 1n, 1)).status, Status.good)
})

test('ALL_TG_PT registers with all ports of the target', async () => {
  const group = { id: 1, state: AccessState.activeOptimized, isPreferred: false, statusCode: AccessStatusCode.none, ports: [1, 2] }
  const { unit, initiators } = await testUnit(1, { ports: { groups: [group], onChange: () => () => {} } })
  const [a] = initiators
  const otherPort = new TestInitiator(unit, testNexus(1, 2))
  await otherPort.attentions()
  await registerIgnoring(a, 1n, ALL_TG_PT)
  assert.deepEqual((await readKeys(a)).keys, [1n, 1n])
  assert.equal((await reserve(otherPort, 1n, ReservationType.exclusiveAccess)).status, Status.good)
  assert.equal((await a.send('28000000000000000100')).status, Status.reservationConflict)
  const { data } = await a.send('5e03 0000000000 ffff 00')
  const first = data.subarray(8)
  const second = first.subarray(24 + first.readUInt32BE(20))
  assert.deepEqual([first.readUInt16BE(18), first[12], first[13]], [1, 0, 0])
  assert.deepEqual([second.readUInt16BE(18), second[12], second[13]], [2, 1, ReservationType.exclusiveAccess])
  assert.deepEqual(second.subarray(24), a.nexus.transportId)
})

test('a parameter list of another length ends with PARAMETER LIST LENGTH ERROR', async () => {
  const { initiators } = await testUnit(1)
  for (const length of [0, 8, 23, 25, 28])
    assert.equal(
      (await initiators[0].send(`5f00000000000000${length.toString(16).padStart(2, '0')}00`, Buffer.alloc(length))).text,
      'ILLEGAL REQUEST: PARAMETER LIST LENGTH ERROR',
    )
  assert.equal((await initiators[0].send('5f000000000000001800', Buffer.alloc(16))).text, 'ILLEGAL REQUEST: PARAMETER LIST LENGTH ERROR')
})

test('REPORT CAPABILITIES: all types, CRH, SIP_C, ATP_C, PTPL_C; PTPL_A follows APTPL (SPC-4 6.15.4)', async () => {
  const { initiators } = await testUnit(1)
  const [a] = initiators
  const capabilities = async (): Promise<string> => (await a.send('5e02 0000000000 ffff 00')).data.toString('hex')
  assert.equal(await capabilities(), '00081d90ea010000')
  await registerIgnoring(a, 1n, APTPL)
  assert.equal(await capabilities(), '00081d91ea010000')
})

test('a list is cut to the allocation length, and says how long it is', async () => {
  const { initiators } = await registered()
  const { data } = await initiators[0].send('5e00 0000000000 0008 00')
  assert.equal(data.toString('hex'), '0000000300000018')
})

test('RESERVE and RELEASE of SPC-2: one at a time; the end of a session and a reset release it', async () => {
  const { unit, initiators } = await testUnit(2)
  const [a, b] = initiators
  for (const [reserveCdb, releaseCdb] of [
    ['160000000000', '170000000000'],
    ['56000000000000000000', '57000000000000000000'],
  ]) {
    assert.equal((await a.send(reserveCdb)).status, Status.good)
    assert.equal((await a.send(reserveCdb)).status, Status.good)
    assert.equal((await b.send(reserveCdb)).status, Status.reservationConflict)
    assert.equal((await b.send(releaseCdb)).status, Status.good)
    assert.equal((await b.send('1a003f00ff00')).status, Status.reservationConflict)
    assert.equal((await a.send('5e00 0000000000 ffff 00')).status, Status.reservationConflict, 'persistent reservations, even for itself')
    assert.equal((await a.send(releaseCdb)).status, Status.good)
    assert.equal((await b.send('1a003f00ff00')).status, Status.good)
  }
  await a.send('160000000000')
  await unit.nexusLoss(a.nexus)
  assert.equal((await b.send('160000000000')).status, Status.good)
  await unit.logicalUnitReset()
  await a.attentions()
  assert.equal((await a.send('160000000000')).status, Status.good)
})

test('beside persistent reservations, RESERVE is told that all is well where the reservation lets it through, and conflicts elsewhere (CRH)', async () => {
  const { initiators } = await testUnit(3)
  const [a, b, c] = initiators
  await registerIgnoring(a, 1n)
  assert.equal((await a.send('160000000000')).status, Status.reservationConflict, 'registered, nothing reserved')
  await registerIgnoring(b, 2n)
  await reserve(a, 1n, ReservationType.writeExclusiveRegistrantsOnly)
  for (const cdb of ['160000000000', '170000000000']) {
    assert.equal((await a.send(cdb)).status, Status.good)
    assert.equal((await b.send(cdb)).status, Status.good)
    assert.equal((await c.send(cdb)).status, Status.reservationConflict)
  }
  assert.deepEqual(await readReservation(a), { key: 1n, type: ReservationType.writeExclusiveRegistrantsOnly })
  assert.equal((await b.send('2a000000000000000100', Buffer.alloc(512))).status, Status.good, 'it reserved nothing')
})

test('registrations outlive the end of a session and a reset', async () => {
  const { unit, initiators } = await registered()
  const [a, b] = initiators
  await reserve(a, 1n, ReservationType.exclusiveAccess)
  await unit.nexusLoss(a.nexus)
  await unit.logicalUnitReset()
  await b.attentions()
  assert.equal((await b.send('28000000000000000100')).status, Status.reservationConflict)
  unit.addNexus(a.nexus)
  await a.attentions()
  assert.equal((await a.send('28000000000000000100')).status, Status.good)
})

test('with APTPL, registrations and reservation are on stable storage before the answer, and in a new unit; without it, nothing is', async () => {
  let saved: ReservationRecord | undefined
  const store: ReservationStore = {
    load: () => saved,
    async save(record) {
      await new Promise(resolve => setImmediate(resolve))
      saved = record
    },
  }
  const { initiators } = await testUnit(2, { reservations: store })
  const [a, b] = initiators
  await registerIgnoring(a, 1n)
  assert.equal(saved, undefined)
  const results = await Promise.all([registerIgnoring(a, 1n, APTPL), registerIgnoring(b, 2n, APTPL), reserve(a, 1n, ReservationType.exclusiveAccess)])
  assert.deepEqual(
    results.map(({ status }) => status),
    [Status.good, Status.good, Status.good],
  )
  const stored = JSON.parse(JSON.stringify(saved)) as ReservationRecord
  const { initiators: after } = await testUnit(2, { reservations: memoryReservationStore(stored) })
  assert.deepEqual(await readKeys(after[0]), { generation: 3, keys: [1n, 2n] })
  assert.deepEqual(await readReservation(after[0]), { key: 1n, type: ReservationType.exclusiveAccess })
  assert.equal((await after[1].send('28000000000000000100')).status, Status.reservationConflict)
  assert.equal((await after[0].send('28000000000000000100')).status, Status.good)
  await registerIgnoring(a, 1n)
  assert.equal(saved, undefined, 'APTPL zero takes it back')
})

test('where the store outlives the unit, what has no APTPL is in the next unit as well, and is known as what a loss of power ends', async () => {
  const store = { ...memoryReservationStore(), outlivesUnit: true }
  const { initiators } = await testUnit(1, { reservations: store })
  const [a] = initiators
  await registerIgnoring(a, 1n)
  await reserve(a, 1n, ReservationType.writeExclusive)
  assert.equal(store.load()?.endsWithPower, true)
  const { initiators: after } = await testUnit(2, { reservations: store })
  assert.deepEqual(await readReservation(after[0]), { key: 1n, type: ReservationType.writeExclusive })
  assert.equal((await after[1].send('2a000000000000000100', Buffer.alloc(512))).status, Status.reservationConflict)
  await registerIgnoring(after[0], 1n, APTPL)
  assert.equal(store.load()?.endsWithPower, undefined)
})

test('what cannot be saved is not done', async () => {
  const faults: unknown[] = []
  const lost = new Error('no disk')
  const store: ReservationStore = { load: () => undefined, save: () => Promise.reject(lost) }
  const { initiators } = await testUnit(1, { reservations: store, onFault: error => faults.push(error) })
  const [a] = initiators
  assert.equal((await registerIgnoring(a, 1n, APTPL)).text, 'HARDWARE ERROR: INTERNAL TARGET FAILURE')
  assert.deepEqual(faults, [lost])
  assert.deepEqual(await readKeys(a), { generation: 0, keys: [] })
  assert.equal((await registerIgnoring(a, 1n)).status, Status.good, 'and the next one does not wait for it')
})
