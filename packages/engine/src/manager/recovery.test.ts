import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Slot, slotAt } from '../shared/layout.ts'
import { unfinishedWrite } from './recovery.ts'

function tableWithIntent(record: number): Int32Array {
  const table = new Int32Array(slotAt(1))
  const slot = slotAt(0)
  table[slot + Slot.intent] = 1
  table[slot + Slot.intentOffset] = 4096
  table[slot + Slot.intentLength] = 100
  table[slot + Slot.intentMessage] = 6
  table[slot + Slot.intentRecord] = record
  table[slot + Slot.descriptor] = -1
  return table
}

test('no intent: nothing is unfinished', () => {
  assert.equal(unfinishedWrite(new Int32Array(slotAt(1)), 0, 0), undefined)
})

test('an intent whose record was not written: its message is finished for the dead worker', () => {
  assert.equal(unfinishedWrite(tableWithIntent(7), 0, 7)?.message, 5)
})

test("an intent whose record was written is over, as its message's index may be another message's by now", () => {
  assert.equal(unfinishedWrite(tableWithIntent(7), 0, 8), undefined)
  assert.equal(unfinishedWrite(tableWithIntent(-1), 0, 0), undefined)
})
