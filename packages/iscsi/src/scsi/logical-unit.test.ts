import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryDevice } from '@holdfast/storage/block'
import { LogicalUnit } from './logical-unit.ts'
import { AccessState, AccessStatusCode } from './ports.ts'
import type { TargetPortGroup, TargetPortGroups } from './ports.ts'
import { Status } from './status.ts'
import { TargetDevice } from './target-device.ts'
import { SlowDevice } from './test-support/slow-device.ts'
import { TestInitiator, testIdentity, testNexus, testUnit } from './test-support/initiator.ts'

const powerOn = 'POWER ON, RESET, OR BUS DEVICE RESET OCCURRED'
const newUnit = (options: Partial<ConstructorParameters<typeof LogicalUnit>[0]> = {}): LogicalUnit =>
  new LogicalUnit({ device: memoryDevice({ sizeBytes: 1024 * 1024 }), identity: testIdentity, ...options })

test('INQUIRY and REPORT LUNS let a unit attention wait; every other command tells it, once (SAM-5 5.14)', async () => {
  const unit = newUnit()
  const a = new TestInitiator(unit, testNexus(1))
  unit.addNexus(a.nexus)
  assert.equal((await a.send('12000000ff00')).status, Status.good)
  assert.equal((await a.send('a00000000000000010000000')).status, Status.good)
  assert.equal((await a.send('28000000000000000100')).text, `UNIT ATTENTION: ${powerOn}`)
  assert.equal((await a.send('28000000000000000100')).status, Status.good)
})

test('a unit attention is told before an opcode is found unknown', async () => {
  const unit = newUnit()
  const a = new TestInitiator(unit, testNexus(1))
  assert.equal((await a.send('ff0000000000')).text, `UNIT ATTENTION: ${powerOn}`)
  assert.equal((await a.send('ff0000000000')).text, 'ILLEGAL REQUEST: INVALID COMMAND OPERATION CODE')
})

test('several unit attentions are told in their order, the same one once; a reset makes older resets pointless', async () => {
  const { unit, initiators } = await testUnit(1)
  for (const name of ['CAPACITY DATA HAS CHANGED', 'MODE PARAMETERS CHANGED', 'CAPACITY DATA HAS CHANGED', powerOn] as const)
    unit.nexuses.tellAll(name)
  await unit.logicalUnitReset()
  assert.deepEqual(await initiators[0].attentions(), ['BUS DEVICE RESET FUNCTION OCCURRED', 'CAPACITY DATA HAS CHANGED', 'MODE PARAMETERS CHANGED'])
})

test('resets are told before RESERVATION CONFLICT, other unit attentions after it (SAM-5 5.3.3)', async () => {
  const { unit, initiators } = await testUnit(2)
  const [a, b] = initiators
  await a.send('160000000000')
  unit.nexuses.tellAll('CAPACITY DATA HAS CHANGED')
  assert.equal((await b.send('28000000000000000100')).status, Status.reservationConflict)
  unit.nexuses.tellAll(powerOn)
  assert.equal((await b.send('28000000000000000100')).text, `UNIT ATTENTION: ${powerOn}`)
  assert.equal((await b.send('28000000000000000100')).status, Status.reservationConflict)
  await a.send('000000000000')
  await a.send('000000000000')
  await a.send('170000000000')
  assert.deepEqual(await b.attentions(), ['CAPACITY DATA HAS CHANGED'])
})

test('an initiator that comes back hears that its nexus was lost, and what happened meanwhile (SAM-5 6.3.4)', async () => {
  const { unit, initiators } = await testUnit(2)
  const [a, b] = initiators
  await unit.nexusLoss(a.nexus)
  unit.nexuses.tellAll('CAPACITY DATA HAS CHANGED')
  unit.addNexus(a.nexus)
  assert.deepEqual(await a.attentions(), ['I_T NEXUS LOSS OCCURRED', 'CAPACITY DATA HAS CHANGED'])
  assert.deepEqual(await b.attentions(), ['CAPACITY DATA HAS CHANGED'])
})

test('a session that takes the place of another hears of the loss, and is not harmed when the old one ends at last (RFC 7143 6.3.5)', async () => {
  const device = new SlowDevice()
  const { unit, initiators } = await testUnit(2, { device })
  const [old, other] = initiators
  await old.send('160000000000')
  const lost = old.run(old.task('28000000000100000100'))
  const session = new TestInitiator(unit, { ...old.nexus })
  unit.addNexus(session.nexus)
  assert.deepEqual(await session.attentions(), ['I_T NEXUS LOSS OCCURRED'])
  assert.equal((await other.send('160000000000')).status, Status.good, 'RESERVE of the old session is released')
  await other.send('170000000000')
  await session.send('160000000000')
  const task = session.task('28000000000200000100')
  const read = session.run(task)
  const ended = unit.nexusLoss(old.nexus)
  device.finish(1)
  await Promise.all([lost, ended])
  assert.equal(task.isAborted, false)
  device.finish(2)
  assert.equal((await read).status, Status.good)
  assert.equal((await other.send('160000000000')).status, Status.reservationConflict)
  assert.deepEqual(await session.attentions(), [])
})

test('initiators that went away are forgotten after some time, those that are there never', async () => {
  const { unit, initiators } = await testUnit(1)
  const first = testNexus(2)
  for (let count = 0; count < 1100; count++) {
    const nexus = { ...testNexus(2), key: count === 0 ? first.key : `another ${count}` }
    unit.addNexus(nexus)
    await unit.nexusLoss(nexus)
  }
  assert.equal([...unit.nexuses.all].length, 1025)
  assert.deepEqual(await new TestInitiator(unit, first).attentions(), [powerOn])
  assert.deepEqual(await initiators[0].attentions(), [])
})

/** Ports whose states a test sets. */
function testPorts(explicit = false): TargetPortGroups & { change(id: number, state: number): void } {
  const listeners = new Set<() => void>()
  const result = {
    groups: [1, 2].map((id): TargetPortGroup => ({
      id,
      state: AccessState.activeOptimized,
      isPreferred: id === 1,
      statusCode: AccessStatusCode.none,
      ports: [id],
    })),
    implicitTransitionSeconds: 5,
    onChange: (listener: () => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    change(id: number, state: number): void {
      result.groups = result.groups.map(group => (group.id === id ? { ...group, state, statusCode: AccessStatusCode.implicit } : group))
      for (const listener of listeners) listener()
    },
  }
  return explicit ? Object.assign(result, { setState: (id: number, state: number) => result.change(id, state) }) : result
}

/** What is refused in each state, of: TEST UNIT READY, READ, INQUIRY, REPORT TARGET PORT GROUPS, MODE SENSE (SPC-4 5.15.2.4). */
const stateRows: readonly (readonly [state: keyof typeof AccessState, refused: string, why: string])[] = [
  ['activeOptimized', '.....', ''],
  ['activeNonOptimized', '.....', ''],
  ['standby', 'xx...', 'TARGET PORT IN STANDBY STATE'],
  ['unavailable', 'xx..x', 'TARGET PORT IN UNAVAILABLE STATE'],
  ['transitioning', 'xx..x', 'ASYMMETRIC ACCESS STATE TRANSITION'],
]
for (const [state, refused, why] of stateRows) {
  test(`a port that is ${state} refuses ${refused} of five commands, another port nothing`, async () => {
    const ports = testPorts()
    const { unit, initiators } = await testUnit(1, { ports })
    const other = new TestInitiator(unit, testNexus(1, 2))
    await other.attentions()
    ports.change(1, AccessState[state])
    const hearer = new TestInitiator(unit, testNexus(1))
    assert.match((await hearer.send('0300 0000 ff00')).data.toString('hex'), /^700006000000000a000000002a06/, 'ASYMMETRIC ACCESS STATE CHANGED')
    assert.deepEqual(await other.attentions(), ['ASYMMETRIC ACCESS STATE CHANGED'])
    const commands = ['000000000000', '28000000000000000100', '12000000ff00', 'a30a00000000000010000000', '1a003f00ff00']
    for (const [index, cdb] of commands.entries()) {
      const { text } = await initiators[0].send(cdb)
      assert.equal(text, refused[index] === 'x' ? `NOT READY: LOGICAL UNIT NOT ACCESSIBLE, ${why}` : '')
      assert.equal((await other.send(cdb)).text, '')
    }
  })
}

test('REPORT TARGET PORT GROUPS: states, preference and ports; with the extended header also how long a transition takes (SPC-4 6.37)', async () => {
  const ports = testPorts()
  const { initiators } = await testUnit(1, { ports })
  ports.change(2, AccessState.standby)
  await initiators[0].attentions()
  const groups = '808f0001000000010000000102 8f0002000200010000 0002'.replaceAll(' ', '')
  assert.equal((await initiators[0].send('a30a00000000000010000000')).data.toString('hex'), `00000018${groups}`)
  assert.equal((await initiators[0].send('a32a00000000000010000000')).data.toString('hex'), `0000001c10050000${groups}`)
  assert.deepEqual((await initiators[0].send('a34a00000000000010000000')).error?.field, { in: 'cdb', byte: 1, bit: 7 })
  assert.equal((await initiators[0].send('a30a00000000000000060000')).data.toString('hex'), '00000018808f')
})

test('SET TARGET PORT GROUPS where initiators may choose; others are told, who asked is not (SPC-4 6.45)', async () => {
  const ports = testPorts(true)
  const { initiators } = await testUnit(2, { ports })
  const [a, b] = initiators
  const set = (list: string) => a.send(`a40a00000000 ${(list.length / 2).toString(16).padStart(8, '0')} 0000`, list)
  assert.equal((await set('0000000002000002')).status, Status.good)
  assert.equal(ports.groups[1].state, AccessState.standby)
  assert.deepEqual(await a.attentions(), [])
  assert.deepEqual(await b.attentions(), ['ASYMMETRIC ACCESS STATE CHANGED'])
  assert.equal((await a.send('12000000ff00')).data[5] & 0x30, 0x30, 'TPGS')
  assert.equal((await set('00000000010000020e000001')).error?.field?.byte, 8)
  assert.equal(ports.groups[1].state, AccessState.standby, 'nothing of a list that is refused is done')
  assert.equal((await set('0000000001000009')).error?.field?.byte, 6)
  assert.equal((await set('000000000100')).text, 'ILLEGAL REQUEST: PARAMETER LIST LENGTH ERROR')
  assert.equal((await testUnit(1)).unit.commands.get(0xa4, 0x0a), undefined, 'not where only the target decides')
})

const lun = (digits: string): Buffer => Buffer.from(digits.padEnd(16, '0'), 'hex')

/** A target's unit at a LUN, as an initiator sees it. */
function at(target: TargetDevice, digits: string, nexus = testNexus(1)): TestInitiator {
  return new TestInitiator({ execute: task => target.execute(lun(digits), task) }, nexus)
}

test('a target finds its units by all ways of addressing, and tells of them all (SAM-5 4.7)', async () => {
  const target = new TargetDevice()
  target.addUnit(0, newUnit())
  target.addUnit(300, newUnit())
  for (const digits of ['', '4000', '412c']) {
    await at(target, digits).attentions()
    assert.equal((await at(target, digits).send('28000000000000000100')).status, Status.good, digits)
  }
  const { data } = await at(target, '').send('a00000000000000010000000')
  assert.equal(data.toString('hex'), '00000010000000000000000000000000412c000000000000')
  assert.equal(target.dataOutBytes(lun('412c'), Buffer.from('2a000000000000000100', 'hex')), 512)
  assert.equal(target.dataOutBytes(lun('01'), Buffer.from('2a000000000000000100', 'hex')), 0)
})

test('a LUN that there is no unit at: INQUIRY says so, REPORT LUNS works, everything else ends with LOGICAL UNIT NOT SUPPORTED', async () => {
  const target = new TargetDevice()
  target.addUnit(0, newUnit())
  for (const digits of ['0001', '4001', '0000000000000001', '8000', 'c1020000']) {
    const nobody = at(target, digits)
    assert.equal((await nobody.send('12000000ff00')).data[0], 0x7f)
    assert.equal((await nobody.send('12010000ff00')).data.toString('hex'), '7f00000100')
    assert.equal((await nobody.send('12018300ff00')).error?.field?.byte, 2)
    assert.equal((await nobody.send('a00000000000000010000000')).data.length, 16)
    assert.equal((await nobody.send('0300 0000 ff00')).data.toString('hex'), '700005000000000a00000000250000000000')
    for (const cdb of ['000000000000', '28000000000000000100', 'ff0000000000'])
      assert.equal((await nobody.send(cdb)).text, 'ILLEGAL REQUEST: LOGICAL UNIT NOT SUPPORTED', cdb)
    assert.equal((await nobody.send('120000 00ff04')).error?.field?.byte, 5)
  }
})

test('the well-known unit of REPORT LUNS is there (SPC-4 8.2)', async () => {
  const target = new TargetDevice()
  const wellKnown = at(target, 'c101')
  assert.equal((await wellKnown.send('12000000ff00')).data[0], 0x1e)
  assert.equal((await wellKnown.send('000000000000')).status, Status.good)
  assert.equal((await wellKnown.send('0300 0000 ff00')).data[2], 0)
  assert.equal((await wellKnown.send('a00001000000000010000000')).data.toString('hex'), '0000000800000000c101000000000000')
  assert.equal((await wellKnown.send('28000000000000000100')).text, 'ILLEGAL REQUEST: INVALID COMMAND OPERATION CODE')
})

test('initiators hear of units that come and go, and new units know who is there; REPORT LUNS says it as well (SPC-4 6.33)', async () => {
  const target = new TargetDevice()
  target.addUnit(0, newUnit())
  const [nexus, second] = [testNexus(1), testNexus(2)]
  target.addNexus(nexus)
  target.addNexus(second)
  const [a, b] = [at(target, '', nexus), at(target, '', second)]
  await a.attentions()
  await b.attentions()
  target.addUnit(1, newUnit())
  assert.deepEqual(await at(target, '0001', nexus).attentions(), [powerOn])
  assert.deepEqual(await a.attentions(), ['REPORTED LUNS DATA HAS CHANGED'])
  await b.send('a00000000000000010000000')
  assert.deepEqual(await b.attentions(), [])
  target.removeUnit(1)
  target.removeUnit(1)
  assert.deepEqual(await b.attentions(), ['REPORTED LUNS DATA HAS CHANGED'])
  await target.nexusLoss(nexus)
  await target.reset()
  assert.deepEqual(await b.attentions(), ['BUS DEVICE RESET FUNCTION OCCURRED'])
})
