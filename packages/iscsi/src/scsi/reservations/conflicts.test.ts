/** SPC-4 tables 47 and 48 and SBC-4 table 13, cell by cell: what a reservation of somebody else lets through. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { variableLengthCdb } from '../cdb.ts'
import type { TableEntry } from '../command-table.ts'
import { commands } from '../commands/index.ts'
import { staticPortGroup } from '../ports.ts'
import { Status } from '../status.ts'
import { testUnit } from '../test-support/initiator.ts'
import type { TestInitiator } from '../test-support/initiator.ts'
import { registerIgnoring, reserve } from '../test-support/persistent-reserve.ts'
import { ReservationType } from './state.ts'

/**
 * Columns, `A` for allowed and `C` for conflict: Write Exclusive and Exclusive Access, from any other nexus; all types of registrants, from
 * one that is registered; Write Exclusive and Exclusive Access of those, from one that is not.
 */
const allowed = 'AAAAA'
const reads = 'ACAAC'
const writes = 'CCACC'

const expected: Readonly<Record<string, string>> = {
  'TEST UNIT READY': allowed,
  'REQUEST SENSE': allowed,
  INQUIRY: allowed,
  'REPORT LUNS': allowed,
  'MODE SELECT (6)': writes,
  'MODE SELECT (10)': writes,
  'MODE SENSE (6)': reads,
  'MODE SENSE (10)': reads,
  'LOG SELECT': writes,
  'LOG SENSE': allowed,
  // Without START.
  'START STOP UNIT': writes,
  'SEND DIAGNOSTIC': writes,
  'RECEIVE DIAGNOSTIC RESULTS': reads,
  'PERSISTENT RESERVE IN, READ KEYS': allowed,
  'PERSISTENT RESERVE IN, READ RESERVATION': allowed,
  'PERSISTENT RESERVE IN, REPORT CAPABILITIES': allowed,
  'PERSISTENT RESERVE IN, READ FULL STATUS': allowed,
  'REPORT TARGET PORT GROUPS': allowed,
  'REPORT REFERRALS': allowed,
  'SET TARGET PORT GROUPS': writes,
  'REPORT SUPPORTED OPERATION CODES': reads,
  'REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS': reads,
  'REPORT TIMESTAMP': allowed,
  'COMPARE AND WRITE': writes,
  'FORMAT UNIT': writes,
  'GET LBA STATUS (16)': reads,
  'GET LBA STATUS (32)': reads,
  'ORWRITE (16)': writes,
  'ORWRITE (32)': writes,
  'PRE-FETCH (10)': reads,
  'PRE-FETCH (16)': reads,
  'READ (6)': reads,
  'READ (10)': reads,
  'READ (12)': reads,
  'READ (16)': reads,
  'READ (32)': reads,
  'READ CAPACITY (10)': allowed,
  'READ CAPACITY (16)': allowed,
  'READ DEFECT DATA (10)': reads,
  'READ DEFECT DATA (12)': reads,
  'SANITIZE (OVERWRITE)': writes,
  'SANITIZE (BLOCK ERASE)': writes,
  'SANITIZE (EXIT FAILURE MODE)': writes,
  'EXTENDED COPY (LID4)': writes,
  'EXTENDED COPY (LID1)': writes,
  'COPY OPERATION ABORT': writes,
  'SYNCHRONIZE CACHE (10)': writes,
  'SYNCHRONIZE CACHE (16)': writes,
  UNMAP: writes,
  'VERIFY (10)': reads,
  'VERIFY (12)': reads,
  'VERIFY (16)': reads,
  'VERIFY (32)': reads,
  'WRITE (6)': writes,
  'WRITE (10)': writes,
  'WRITE (12)': writes,
  'WRITE (16)': writes,
  'WRITE (32)': writes,
  'WRITE ATOMIC (16)': writes,
  'WRITE ATOMIC (32)': writes,
  'WRITE AND VERIFY (10)': writes,
  'WRITE AND VERIFY (12)': writes,
  'WRITE AND VERIFY (16)': writes,
  'WRITE AND VERIFY (32)': writes,
  'WRITE SAME (10)': writes,
  'WRITE SAME (16)': writes,
  'WRITE SAME (32)': writes,
}

/** They have rules of their own: reservations here, in other files; what became of a copy concerns only the nexus that asked for the copy. */
const ownRules = /^(RESERVE|RELEASE) |^PERSISTENT RESERVE OUT|^RECEIVE COPY/

type Role = 'holder' | 'registered' | 'unregistered'

interface Column {
  readonly types: readonly number[]
  readonly roles: readonly Role[]
}

const { writeExclusive, exclusiveAccess } = ReservationType
const { writeExclusiveRegistrantsOnly, exclusiveAccessRegistrantsOnly } = ReservationType
const { writeExclusiveAllRegistrants, exclusiveAccessAllRegistrants } = ReservationType
const columns: readonly Column[] = [
  { types: [writeExclusive], roles: ['registered', 'unregistered'] },
  { types: [exclusiveAccess], roles: ['registered', 'unregistered'] },
  {
    types: [writeExclusiveRegistrantsOnly, exclusiveAccessRegistrantsOnly, writeExclusiveAllRegistrants, exclusiveAccessAllRegistrants],
    roles: ['registered'],
  },
  { types: [writeExclusiveRegistrantsOnly, writeExclusiveAllRegistrants], roles: ['unregistered'] },
  { types: [exclusiveAccessRegistrantsOnly, exclusiveAccessAllRegistrants], roles: ['unregistered'] },
]

const ports = { ...staticPortGroup(), setState: () => {} }

/** The initiators of a unit that the holder has reserved. */
async function reserved(type: number): Promise<Readonly<Record<Role, TestInitiator>>> {
  const { initiators } = await testUnit(3, { ports })
  const [holder, registered, unregistered] = initiators
  await registerIgnoring(holder, 1n)
  await registerIgnoring(registered, 2n)
  assert.equal((await reserve(holder, 1n, type)).status, Status.good)
  return { holder, registered, unregistered }
}

/** The command, with nothing set that it does not need to be found. */
function cdbOf({ command, usage }: TableEntry): Buffer {
  const cdb = Buffer.alloc(usage.length)
  cdb[0] = command.opcode
  if (command.opcode === variableLengthCdb) usage.copy(cdb, 7, 7, 10)
  else if (command.serviceAction !== undefined) cdb[1] = command.serviceAction
  return cdb
}

const answer = async (initiator: TestInitiator, cdb: Buffer): Promise<string> =>
  (await initiator.send(cdb)).status === Status.reservationConflict ? 'C' : 'A'

const { unit: full } = await testUnit(1, { ports })

test('the table has every command', () => {
  const missing = commands.map(({ name }) => name).filter(name => !(name in expected) && !ownRules.test(name))
  assert.deepEqual(missing, [])
})

for (const entry of full.commands.entries) {
  const { name } = entry.command
  const row = expected[name]
  if (row === undefined) continue
  test(`${name}: ${row}, and nothing stands against the holder`, async () => {
    for (const [index, { types, roles }] of columns.entries()) {
      for (const type of types) {
        for (const role of roles) {
          const initiators = await reserved(type)
          assert.equal(await answer(initiators[role], cdbOf(entry)), row[index], `type ${type}, ${role}`)
        }
        const { holder } = await reserved(type)
        assert.equal(await answer(holder, cdbOf(entry)), 'A', `type ${type}, holder`)
      }
    }
  })
}

test('START STOP UNIT with START and without a power condition is always allowed (SBC-4 table 13)', async () => {
  const { unregistered } = await reserved(exclusiveAccess)
  assert.equal(await answer(unregistered, Buffer.from('1b0000000100', 'hex')), 'A')
  assert.equal(await answer(unregistered, Buffer.from('1b0000001100', 'hex')), 'C')
})

/** SPC-2 table 9: what is allowed while somebody else has reserved the unit with RESERVE. */
const allowedBesideReserve: ReadonlySet<string> = new Set([
  'INQUIRY',
  'LOG SENSE',
  'READ CAPACITY (10)',
  'READ CAPACITY (16)',
  'RELEASE (6)',
  'RELEASE (10)',
  'REPORT LUNS',
  'REPORT TARGET PORT GROUPS',
  'REPORT TIMESTAMP',
  'REQUEST SENSE',
])

test('beside RESERVE of another initiator, only what SPC-2 table 9 allows is let through; everything but persistent reservations for its owner', async () => {
  for (const entry of full.commands.entries) {
    const { name, opcode } = entry.command
    if (name.startsWith('RECEIVE COPY')) continue
    const { initiators } = await testUnit(2, { ports })
    const [owner, other] = initiators
    assert.equal((await owner.send('160000000000')).status, Status.good)
    assert.equal(await answer(other, cdbOf(entry)), allowedBesideReserve.has(name) ? 'A' : 'C', name)
    assert.equal(await answer(owner, cdbOf(entry)), opcode === 0x5e || opcode === 0x5f ? 'C' : 'A', name)
  }
})

test('a copy that another unit makes may do here what its initiator may: only while that is logged in, and nothing against a reservation (SPC-4 5.17.2)', async () => {
  const { unit, initiators } = await testUnit(2)
  const [holder, other] = initiators
  const admits = (initiator: TestInitiator): string =>
    (['read', 'write'] as const).filter(access => unit.admitsCopy({ initiatorName: initiator.nexus.initiatorName, access })).join(' ')
  assert.equal(admits(other), 'read write')
  await registerIgnoring(holder, 1n)
  await reserve(holder, 1n, ReservationType.writeExclusive)
  assert.equal(admits(holder), 'read write')
  assert.equal(admits(other), 'read')
  await unit.nexusLoss(other.nexus)
  assert.equal(admits(other), '')
  assert.ok(!unit.admitsCopy({ initiatorName: 'iqn.2026-11.example:nobody', access: 'read' }))
})
