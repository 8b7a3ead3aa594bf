import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cdbBytes, variableLengthCdb } from './cdb.ts'
import type { TableEntry } from './command-table.ts'
import { commands } from './commands/index.ts'
import { staticPortGroup } from './ports.ts'
import { testUnit } from './test-support/initiator.ts'
import type { LogicalUnit } from './logical-unit.ts'

const settablePorts = { ...staticPortGroup(), setState: () => {} }
const { unit: full } = await testUnit(1, { ports: settablePorts })

/** A CDB that has only what finds the command. */
function plainCdb({ command, usage }: TableEntry): Buffer {
  const cdb = Buffer.alloc(usage.length)
  cdb[0] = command.opcode
  if (command.opcode === variableLengthCdb) usage.copy(cdb, 7, 7, 10)
  else if (command.serviceAction !== undefined) cdb[1] = command.serviceAction
  return cdb
}

test('every row has a CDB usage of its format, with its own opcode and service action (SPC-4 6.35.3)', () => {
  for (const { command, usage } of full.commands.entries) {
    assert.equal(usage[0], command.opcode, command.name)
    assert.equal(cdbBytes(usage), usage.length, command.name)
    const action = command.opcode === variableLengthCdb ? usage.readUInt16BE(8) : command.serviceAction === undefined ? undefined : usage[1] & 0x1f
    assert.equal(action, command.serviceAction, command.name)
  }
})

test('no two rows are the same command, and no opcode is both with and without service actions', () => {
  const found = commands.map(({ opcode, serviceAction }) => `${opcode}/${serviceAction ?? ''}`)
  assert.equal(new Set(found).size, found.length)
  for (const { opcode, serviceAction } of commands) if (serviceAction === undefined) assert.ok(!full.commands.hasServiceActions(opcode))
})

test('every unit that can have a command has it', () => {
  assert.equal(full.commands.entries.length, commands.length)
})

test('a CDB with any bit that its command does not look at ends with INVALID FIELD IN CDB, and a pointer to the bit; NACA among them (SPC-4 4.2.1)', async () => {
  for (const entry of full.commands.entries) {
    const { unit, initiators } = await testUnit(1, { ports: settablePorts })
    for (let at = 1; at < entry.usage.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        if ((entry.allowed[at] & (1 << bit)) !== 0) continue
        const cdb = plainCdb(entry)
        cdb[at] |= 1 << bit
        const { text, error } = await initiators[0].send(cdb)
        assert.equal(text, 'ILLEGAL REQUEST: INVALID FIELD IN CDB', `${entry.command.name}, byte ${at} bit ${bit}`)
        assert.deepEqual(error?.field, { in: 'cdb', byte: at, bit }, entry.command.name)
      }
    }
    unit.close()
  }
})

test('a CDB that is cut ends with INVALID FIELD IN CDB', async () => {
  const { initiators } = await testUnit(1)
  const { text } = await initiators[0].send('88 00 0000')
  assert.equal(text, 'ILLEGAL REQUEST: INVALID FIELD IN CDB')
  assert.equal((await initiators[0].send('7f 00 0000')).text, 'ILLEGAL REQUEST: INVALID FIELD IN CDB')
})

test('an opcode that is not in the table ends with INVALID COMMAND OPERATION CODE', async () => {
  const { unit, initiators } = await testUnit(1)
  for (let opcode = 0; opcode < 256; opcode++) {
    if (unit.commands.get(opcode) !== undefined || unit.commands.hasServiceActions(opcode)) continue
    const cdb = Buffer.alloc(16)
    cdb[0] = opcode
    assert.equal((await initiators[0].send(cdb)).text, 'ILLEGAL REQUEST: INVALID COMMAND OPERATION CODE', `${opcode}`)
  }
})

test('a service action that is not in the table ends with INVALID FIELD IN CDB, and a pointer to it', async () => {
  const { initiators } = await testUnit(1)
  const { text, error } = await initiators[0].send('a31f00000000000000000000')
  assert.equal(text, 'ILLEGAL REQUEST: INVALID FIELD IN CDB')
  assert.deepEqual(error?.field, { in: 'cdb', byte: 1, bit: 4 })
  const long = Buffer.alloc(32)
  Buffer.from('7f00000000000018ffff', 'hex').copy(long)
  assert.deepEqual((await initiators[0].send(long)).error?.field, { in: 'cdb', byte: 8, bit: 7 })
})

test('a variable length CDB has the length of its command (SPC-4 4.2.3)', async () => {
  const { unit, initiators } = await testUnit(1)
  const cdb = plainCdb(unit.commands.get(variableLengthCdb, 0x0009) as TableEntry) // READ (32)
  assert.equal((await initiators[0].send(cdb)).status, 0)
  cdb[7] = 0x14
  assert.deepEqual((await initiators[0].send(cdb)).error?.field, { in: 'cdb', byte: 7 })
})

test('what a command asks of the transport is never more than its CDB says, and nothing for CDBs that are not commands', () => {
  const unit: LogicalUnit = full
  assert.equal(unit.dataOutBytes(Buffer.from('2a000000000000000200', 'hex')), 1024)
  assert.equal(unit.dataOutBytes(Buffer.from('2a0000', 'hex')), 0)
  assert.equal(unit.dataOutBytes(Buffer.from('ff00000000000000', 'hex')), 0)
  assert.equal(unit.dataOutBytes(Buffer.from('28000000000000000200', 'hex')), 0)
})

test('a unit may list only what fits a CDB of 16 bytes, and carries the others out all the same', async () => {
  const { unit, initiators } = await testUnit(1, { maxListedCdbBytes: 16 })
  const lengths = async (initiator: (typeof initiators)[number]): Promise<number[]> => {
    const { data } = await initiator.send('a30c00000000000010000000')
    return Array.from({ length: data.readUInt32BE() / 8 }, (_, index) => data.readUInt16BE(4 + 8 * index + 6))
  }
  assert.equal(Math.max(...(await lengths(initiators[0]))), 16)
  assert.equal((await initiators[0].send(plainCdb(unit.commands.get(variableLengthCdb, 0x0009) as TableEntry))).status, 0) // READ (32)
})
