import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CreateOptions } from '../filesystem.ts'
import { memory } from './memory.ts'

const makeFile: CreateOptions = { folder: false, attributes: 0x20, access: { read: true, write: true } }

test('a memory filesystem is bounded: more is no-space, and what is removed is free again', () => {
  const files = memory({ capacityBytes: 1 << 20 })
  const free = files.volume().freeUnits
  const handle = files.create('f', '', makeFile)
  assert.throws(() => handle.write(Buffer.alloc(2 << 20), 0), { code: 'no-space' })
  handle.setSize(0)
  handle.write(Buffer.alloc(512 << 10), 0)
  assert.ok(files.volume().freeUnits < free)
  assert.throws(() => files.create('g', '', { ...makeFile, allocationBytes: 1 << 20 }), { code: 'no-space' })
  assert.equal(files.stat('g'), undefined)
  handle.remove()
  assert.ok(files.volume().freeUnits < free, 'still open')
  handle.close()
  assert.equal(files.volume().freeUnits, free)
})

test('names alone use up the capacity, too', () => {
  const files = memory({ capacityBytes: 100_000 })
  assert.throws(
    () => {
      for (let i = 0; i < 1000; i++) files.create(`f${i}`, '', makeFile).close()
    },
    { code: 'no-space' },
  )
})

test('times come from the clock that is given', () => {
  const files = memory({ clock: () => 42n })
  assert.equal(files.create('f', '', makeFile).info().createdAt, 42n)
})

test('removing and closing gives all memory back', () => {
  const files = memory({ capacityBytes: 8 << 20 })
  const free = files.budget.freeBytes
  files.create('d', '', { ...makeFile, folder: true }).close()
  files.symlink('d/l', '..')
  const handle = files.create('d/f', '', makeFile)
  handle.write(Buffer.alloc(100_000), 0)
  const stream = files.create('d/f', 's', makeFile)
  stream.write(Buffer.alloc(100_000), 0)
  handle.link('e', { replace: false })
  handle.close()
  stream.close()
  files.close()
  assert.equal(files.budget.freeBytes, free)
})
