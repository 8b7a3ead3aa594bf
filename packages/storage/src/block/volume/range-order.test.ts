import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { RangeOrder } from './range-order.ts'

test('reads overlap as they like, writes wait for what came before them, and nobody overtakes who waits', async () => {
  const order = new RangeOrder()
  const log: string[] = []
  const run = async (name: string, begin: number, end: number, isExclusive: boolean): Promise<() => void> => {
    const turn = await order.enter(begin, end, isExclusive)
    log.push(name)
    return () => order.leave(turn)
  }
  assert.equal(order.isIdle, true)
  const readA = await run('read a', 0, 10, false)
  const readB = await run('read b', 5, 15, false)
  assert.equal(order.isFree(9, 20, false), true)
  assert.equal(order.isFree(9, 20, true), false)
  assert.equal(order.isFree(15, 20, true), true, 'ranges that only touch do not overlap')
  const write = run('write', 8, 20, true)
  const readC = run('read c', 19, 30, false)
  const readD = await run('read d', 0, 8, false)
  assert.equal(order.isFree(19, 30, false), false, 'who waits is in the way of later ones')
  assert.deepEqual(log, ['read a', 'read b', 'read d'])
  readA()
  readD()
  readB()
  ;(await write)()
  ;(await readC)()
  assert.deepEqual(log, ['read a', 'read b', 'read d', 'write', 'read c'])
  assert.equal(order.isIdle, true)
})

test('whatever ends when: writes never run beside anything that overlaps, and each begins after all it overlaps with that were asked for before', async () => {
  const piece = fc.record({
    begin: fc.integer({ min: 0, max: 20 }),
    length: fc.integer({ min: 1, max: 8 }),
    isExclusive: fc.boolean(),
    ticks: fc.nat(5),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async pieces => {
      const order = new RangeOrder()
      const running = new Set<number>()
      const ended = new Set<number>()
      const conflict = (a: number, b: number): boolean => {
        const [x, y] = [pieces[a], pieces[b]]
        return (x.isExclusive || y.isExclusive) && x.begin < y.begin + y.length && y.begin < x.begin + x.length
      }
      await Promise.all(
        pieces.map(async ({ begin, length, isExclusive, ticks }, index) => {
          const turn = await order.enter(begin, begin + length, isExclusive)
          for (const other of running) assert.equal(conflict(index, other), false, `${index} beside ${other}`)
          for (let before = 0; before < index; before++) assert.ok(!conflict(index, before) || ended.has(before), `${index} overtook ${before}`)
          running.add(index)
          for (let tick = 0; tick < ticks; tick++) await Promise.resolve()
          running.delete(index)
          ended.add(index)
          order.leave(turn)
        }),
      )
      assert.equal(ended.size, pieces.length)
      assert.equal(order.isIdle, true)
    }),
  )
})
