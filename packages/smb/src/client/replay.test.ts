import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inPlace } from '@holdfast/wire'
import { anyFileId, commandName } from '../messages/index.ts'
import type { Batch } from './batches.ts'
import { makeBatch } from './batches.ts'
import { SmbError } from './errors.ts'
import { RemoteOpen } from './remote-open.ts'
import { openOf, replayRules, verdictOf } from './replay.ts'
import { noScope, operations } from './requests.ts'
import type { AnyRecord } from './requests.ts'
import type { Tree } from './tree.ts'

const request = { name: 'file', desiredAccess: 1 }
// Nothing of the tree is asked for.
const tree = {} as Tree
const open = (): RemoteOpen => new RemoteOpen(tree, request)
const lost = (): RemoteOpen => {
  const one = open()
  one.go('interrupt')
  one.lose(new SmbError('ENOENT', 'STATUS_OBJECT_NAME_NOT_FOUND'))
  return one
}

function batchOf(records: readonly AnyRecord[], isSent: boolean): Batch {
  const keeper = { abandon: () => undefined }
  const { batch } = makeBatch(records, { keeper, chargeOf: () => 1, accepts: () => true })
  batch.isSent = isSent
  return batch
}
const about = (operation: AnyRecord['operation'], fileId: unknown, more: object = {}): AnyRecord => ({
  operation,
  value: { fileId, ...more },
  scope: noScope,
})

describe('what becomes of requests when the connection is lost', () => {
  test('all commands, whole (MS-SMB2 3.2.4.1.10)', () => {
    const rows = Object.entries(replayRules).map(([command, { sent, openLost }]) => `${commandName(Number(command))}: ${sent}, ${openLost}`)
    assert.deepEqual(rows.sort(), [
      'changeNotify: send, lost',
      'close: send, done',
      'create: replay, lost',
      'echo: send, lost',
      'flush: send, lost',
      'ioctl: replay, lost',
      'lock: replay, lost',
      'logoff: done, done',
      'oplockBreak: done, done',
      'queryDirectory: send, lost',
      'queryInfo: send, lost',
      'read: send, lost',
      'setInfo: replay, lost',
      'treeConnect: send, lost',
      'treeDisconnect: done, done',
      'write: replay, lost',
    ])
  })

  test('every operation of the client has a rule, but for those that make a connection', () => {
    const without = Object.values(operations).filter(({ command }) => replayRules[command] === undefined)
    assert.deepEqual(without.map(({ name }) => name).sort(), ['CANCEL', 'NEGOTIATE', 'SESSION_SETUP'])
  })

  test('what was not sent is sent; what was is replayed; on a lost open neither', () => {
    const write = (fileId: unknown) => about(operations.write, fileId, { offset: 0n, data: inPlace(1) })
    assert.equal(verdictOf(batchOf([write(open())], false)), 'send')
    assert.equal(verdictOf(batchOf([write(open())], true)), 'replay')
    assert.equal(verdictOf(batchOf([write(lost())], false)), 'lost')
    assert.equal(verdictOf(batchOf([write(lost())], true)), 'lost')
    assert.equal(verdictOf(batchOf([about(operations.close, lost())], true)), 'done')
    assert.equal(verdictOf(batchOf([about(operations.read, open())], true)), 'send')
  })

  test('a CREATE is a replay only if it has a CreateGuid to be known by', () => {
    const create = (createContexts: Buffer): AnyRecord => ({ operation: operations.create, value: { ...request, createContexts }, scope: noScope })
    assert.equal(verdictOf(batchOf([create(Buffer.alloc(8))], true)), 'replay')
    assert.equal(verdictOf(batchOf([create(Buffer.alloc(0))], true)), 'send')
  })

  test('a compound that was sent is for who sent it to decide', () => {
    const compound = [about(operations.queryInfo, anyFileId), about(operations.close, anyFileId)]
    assert.equal(verdictOf(batchOf(compound, true)), 'interrupted')
    assert.equal(verdictOf(batchOf(compound, false)), 'send')
  })

  test('what a lost open says', () => {
    const error = lost().error!
    assert.deepEqual([error.code, error.path, (error.cause as SmbError).code], ['HANDLE_LOST', 'file', 'ENOENT'])
    assert.match(error.message, /is not open any more since the connection was lost: STATUS_OBJECT_NAME_NOT_FOUND/)
    assert.equal(open().error, undefined)
    assert.ok(openOf(about(operations.read, open())) instanceof RemoteOpen)
    assert.equal(openOf(about(operations.read, anyFileId)), undefined)
  })
})

test('lock sequences: index 1 to 64, the number changes with each use of an index, none for the 65th at a time (MS-SMB2 2.2.26)', () => {
  const one = open()
  const first = one.takeLockSequence()
  const others = Array.from({ length: 63 }, () => one.takeLockSequence().lockSequence)
  assert.deepEqual([first.lockSequence, others[0], others[62]], [0x11, 0x21, 0x401])
  assert.equal(one.takeLockSequence().lockSequence, 0)
  const numbers: number[] = []
  for (let i = 0, last = first; i < 17; i++) {
    last.release()
    last = one.takeLockSequence()
    numbers.push(last.lockSequence & 0xf)
    assert.equal(last.lockSequence >>> 4, 1)
  }
  assert.deepEqual(numbers, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2])
})
