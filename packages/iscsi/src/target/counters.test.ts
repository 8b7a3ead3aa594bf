import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Opcode } from '../pdu/index.ts'
import { commandIndexOf, commandNames } from '../scsi/index.ts'
import { RawInitiator } from './test-support/raw-initiator.ts'
import { guest, startTarget, targetNames } from './test-support/target.ts'
import type { RunningTarget } from './test-support/target.ts'

const block = 512
const read10 = [0x28, 0, 0, 0, 0, 3, 0, 0, 2]
const write10 = [0x2a, 0, 0, 0, 0, 3, 0, 0, 2]
const inquiry = [0x12, 0, 0, 0, 36, 0]
const testUnitReady = [0, 0, 0, 0, 0, 0]

interface Line {
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** A session that has written two blocks, read them, asked who the disk is, and sent what is no command. Returns the tag of the read. */
async function useDisk(context: TestContext, target: RunningTarget): Promise<number> {
  const raw = await RawInitiator.connect(target.port)
  context.after(() => raw[Symbol.asyncDispose]())
  await raw.login([
    ['InitiatorName', guest],
    ['TargetName', targetNames.open],
  ])
  // POWER ON OCCURRED
  raw.command(testUnitReady)
  await raw.expect(Opcode.scsiResponse)
  raw.command(write10, { isWrite: true, expectedBytes: 2 * block, data: Buffer.alloc(2 * block, 'a') })
  await raw.expect(Opcode.scsiResponse)
  const tag = raw.command(read10, { expectedBytes: 2 * block })
  await raw.expect(Opcode.dataIn)
  raw.command(inquiry, { expectedBytes: 36 })
  await raw.expect(Opcode.dataIn)
  raw.command([0xff, 0, 0, 0, 0, 0])
  await raw.expect(Opcode.scsiResponse)
  return tag
}

test('commands are counted by name and status, and each is observed once; blocks are counted by volume', async context => {
  await using target = await startTarget()
  await useDisk(context, target)
  const commands = (command: string, status: string): number => target.metric('holdfast_iscsi_commands_total', { command, status })
  assert.equal(commands('TEST UNIT READY', 'CHECK CONDITION'), 1)
  assert.equal(commands('WRITE (10)', 'GOOD'), 1)
  assert.equal(commands('READ (10)', 'GOOD'), 1)
  assert.equal(commands('INQUIRY', 'GOOD'), 1)
  assert.equal(commands('unknown', 'CHECK CONDITION'), 1)
  assert.equal(target.metric('holdfast_iscsi_command_duration_seconds', { command: 'READ (10)' }), 1)
  // `everybody` is the alias of the target: the volume's name. What INQUIRY gives is no block.
  assert.equal(target.metric('holdfast_iscsi_read_bytes_total', { volume: 'everybody' }), 2 * block)
  assert.equal(target.metric('holdfast_iscsi_written_bytes_total', { volume: 'everybody' }), 2 * block)
  assert.equal(target.metric('holdfast_iscsi_sessions'), 1)
})

test('a login that is refused is counted', async context => {
  await using target = await startTarget()
  const raw = await RawInitiator.connect(target.port)
  context.after(() => raw[Symbol.asyncDispose]())
  await raw.login([
    ['InitiatorName', guest],
    ['TargetName', 'iqn.2026-11.test:nowhere'],
  ])
  assert.equal(target.metric('holdfast_iscsi_login_failures_total'), 1)
  assert.equal(target.metric('holdfast_iscsi_sessions'), 0)
})

for (const tellsCommands of [true, false]) {
  test(`the end of each command is ${tellsCommands ? '' : 'not '}told to the log when ${tellsCommands ? 'that' : 'nothing'} is asked for`, async context => {
    const lines: Line[] = []
    await using target = await startTarget({ tellsCommands }, { onLog: (_level, message, fields) => void lines.push({ message, fields }) })
    const tag = await useDisk(context, target)
    const tellings = (): Line['fields'][] => lines.filter(({ message }) => message === 'command done').map(({ fields }) => fields)
    // The log comes by another way than the answers.
    for (let tries = 0; tellsCommands && tellings().length < 5 && tries < 100; tries++) await sleep(10)
    const told = tellings()
    assert.equal(told.length, tellsCommands ? 5 : 0)
    if (!tellsCommands) return
    const { durationMs, connection, ...read } = told.find(({ command }) => command === 'READ (10)')!
    assert.equal(typeof durationMs, 'number')
    assert.deepEqual(read, {
      worker: 0,
      request: `iscsi/${String(connection)}/${tag}`,
      command: 'READ (10)',
      status: 'GOOD',
      bytes: 2 * block,
      volume: 'everybody',
    })
  })
}

test('a command is named by opcode, and by service action where there are some', () => {
  const named = (...cdb: number[]): string => commandNames[commandIndexOf(Buffer.from(cdb))]
  assert.equal(named(...read10), 'READ (10)')
  assert.equal(named(0x9e, 0x10, ...Array.from({ length: 14 }, () => 0)), 'READ CAPACITY (16)')
  assert.equal(named(0x9e, 0x1f, ...Array.from({ length: 14 }, () => 0)), 'unknown')
  assert.equal(named(0x7f, 0, 0, 0, 0, 0, 0, 24, 0, 9), 'READ (32)')
  assert.equal(named(0x7f, 0), 'unknown')
  assert.equal(named(0xff), 'unknown')
})
