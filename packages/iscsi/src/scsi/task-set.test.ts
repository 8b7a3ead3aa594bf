import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Status, TaskAttribute } from './status.ts'
import { SlowDevice } from './test-support/slow-device.ts'
import { testUnit } from './test-support/initiator.ts'
import type { Reply, TestInitiator } from './test-support/initiator.ts'

const { simple, ordered, headOfQueue } = TaskAttribute
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** READ (10) of one block. */
function read(initiator: TestInitiator, lba: number, attribute: number = simple) {
  const task = initiator.task(`2800 ${lba.toString(16).padStart(8, '0')} 00 0001 00`, { attribute })
  return { task, reply: initiator.run(task) }
}

const statuses = async (replies: readonly { readonly reply: Promise<Reply> }[]): Promise<number[]> =>
  (await Promise.all(replies.map(({ reply }) => reply))).map(({ status }) => status)

test('SIMPLE commands run beside each other; ORDERED waits for all older ones, and all younger ones wait for it (SAM-5 8.7)', async () => {
  const device = new SlowDevice()
  const { unit, initiators } = await testUnit(1, { device })
  const [a] = initiators
  const tasks = [read(a, 1), read(a, 2), read(a, 3, ordered), read(a, 4), read(a, 5, ordered)]
  await turn()
  assert.deepEqual(device.reading, [1, 2])
  device.finish(1)
  await turn()
  assert.deepEqual(device.reading, [2])
  device.finish(2)
  await turn()
  assert.deepEqual(device.reading, [3])
  device.finish(3)
  await turn()
  assert.deepEqual(device.reading, [4])
  device.finish(4)
  await turn()
  assert.deepEqual(device.reading, [5])
  assert.equal(unit.pendingTasks, 1)
  device.finish(5)
  assert.deepEqual(await statuses(tasks), [0, 0, 0, 0, 0])
  assert.equal(unit.pendingTasks, 0)
})

test('HEAD OF QUEUE runs at once, and those that came later wait for it', async () => {
  const device = new SlowDevice()
  const { initiators } = await testUnit(2, { device })
  const [a, b] = initiators
  const tasks = [read(a, 1), read(a, 2, ordered), read(b, 3, headOfQueue), read(b, 4)]
  await turn()
  assert.deepEqual(device.reading, [1, 3])
  device.finish(1)
  await turn()
  assert.deepEqual(device.reading, [3], 'ORDERED waits for HEAD OF QUEUE too')
  device.finish(3)
  await turn()
  assert.deepEqual(device.reading, [2])
  device.finish(2)
  await turn()
  device.finish(4)
  assert.deepEqual(await statuses(tasks), [0, 0, 0, 0])
})

test('commands that end at once wait for their turn too, and are all answered when it comes', async () => {
  const device = new SlowDevice()
  const { initiators } = await testUnit(1, { device })
  const [a] = initiators
  const slow = read(a, 1, ordered)
  const ended: number[] = []
  const quick = Array.from({ length: 100 }, (_, index) =>
    a.run(a.task('000000000000', { attribute: index % 3 === 0 ? ordered : simple })).then(({ status }) => {
      assert.equal(status, Status.good)
      ended.push(index)
    }),
  )
  await turn()
  assert.deepEqual(ended, [])
  device.finish(1)
  await Promise.all([slow.reply, ...quick])
  assert.deepEqual(
    ended,
    Array.from({ length: 100 }, (_, index) => index),
  )
})

test('more commands than the task set takes get TASK SET FULL', async () => {
  const device = new SlowDevice()
  const { initiators } = await testUnit(1, { device, maxTasks: 3 })
  const [a] = initiators
  const tasks = [read(a, 1), read(a, 2), read(a, 3, ordered)]
  await turn()
  for (const attribute of [simple, ordered, headOfQueue]) assert.equal((await read(a, 9, attribute).reply).status, Status.taskSetFull)
  device.finish(1)
  device.finish(2)
  await turn()
  device.finish(3)
  assert.deepEqual(await statuses(tasks), [0, 0, 0])
  assert.equal((await a.send('000000000000')).status, Status.good)
})

test('ACA is an attribute only where there is an ACA condition, and there never is one', async () => {
  const { initiators } = await testUnit(1)
  const task = initiators[0].task('000000000000', { attribute: TaskAttribute.aca })
  assert.equal((await initiators[0].run(task)).text, 'ILLEGAL REQUEST: INVALID MESSAGE ERROR')
})

test('ABORT TASK: one that waits is gone at once, one that runs when its medium is done; both are marked', async () => {
  const device = new SlowDevice()
  const { unit, initiators } = await testUnit(1, { device })
  const [a] = initiators
  const running = read(a, 1)
  const waiting = read(a, 2, ordered)
  await turn()
  await unit.abortTask(waiting.task)
  assert.ok(waiting.task.isAborted)
  let isDone = false
  const aborted = unit.abortTask(running.task).then(() => {
    isDone = true
  })
  await turn()
  assert.ok(running.task.isAborted && !isDone)
  device.finish(1)
  await aborted
  for (const { reply } of [running, waiting]) assert.notEqual((await reply).status, Status.taskAborted)
  assert.equal(unit.pendingTasks, 0)
  assert.deepEqual(device.reading, [], 'what waited never ran')
  await unit.abortTask(running.task)
})

test('what waited for a task that was aborted runs', async () => {
  const device = new SlowDevice()
  const { unit, initiators } = await testUnit(1, { device })
  const [a] = initiators
  const tasks = [read(a, 1), read(a, 2, ordered), read(a, 3)]
  await turn()
  await unit.abortTask(tasks[1].task)
  await turn()
  assert.deepEqual(device.reading, [1, 3])
  device.finish(1)
  device.finish(3)
  await statuses(tasks)
})

test('ABORT TASK SET takes the tasks of one nexus, CLEAR TASK SET those of all; others are told by TASK ABORTED (TAS)', async () => {
  const device = new SlowDevice()
  const { unit, initiators } = await testUnit(2, { device })
  const [a, b] = initiators
  const own = read(a, 1)
  const other = read(b, 2)
  await turn()
  const abort = unit.abortTaskSet(a.nexus)
  assert.deepEqual([own.task.isAborted, other.task.isAborted], [true, false])
  device.finish(1)
  await abort
  const again = read(a, 3)
  await turn()
  const clear = unit.clearTaskSet(a.nexus)
  device.finish(2)
  device.finish(3)
  await clear
  assert.equal((await other.reply).status, Status.taskAborted)
  assert.equal((await again.reply).status, Status.good)
  assert.deepEqual(await b.attentions(), [])
})

test('with TAS zero, others are told by a unit attention (SAM-5 5.6)', async () => {
  const device = new SlowDevice()
  const { unit, initiators } = await testUnit(2, { device })
  const [a, b] = initiators
  const { data } = await a.send('1a080a00ff00')
  const page = data.subarray(4)
  page[5] ^= 0x40
  assert.equal((await a.send('151000001000', Buffer.concat([Buffer.alloc(4), page]))).status, Status.good)
  await b.attentions()
  const other = read(b, 2)
  await turn()
  const clear = unit.clearTaskSet(a.nexus)
  device.finish(2)
  await clear
  assert.equal((await other.reply).status, Status.good)
  assert.ok(other.task.isAborted)
  assert.deepEqual(await b.attentions(), ['COMMANDS CLEARED BY ANOTHER INITIATOR'])
  assert.deepEqual(await a.attentions(), [])
})

test('PREEMPT AND ABORT ends the tasks of those it takes the registration of, before it answers (SPC-4 5.13.11.2.7)', async () => {
  const device = new SlowDevice()
  const { initiators } = await testUnit(3, { device })
  const [a, b, c] = initiators
  const list = (key: number, serviceActionKey: number): string =>
    `${key.toString(16).padStart(16, '0')}${serviceActionKey.toString(16).padStart(16, '0')}0000000000000000`
  for (const [index, initiator] of initiators.entries()) await initiator.send('5f06 00 0000 00000018 00', list(0, index + 1))
  const victim = read(b, 1)
  const bystander = read(c, 2)
  await turn()
  let isAnswered = false
  const preempt = a.send('5f05 01 0000 00000018 00', list(1, 2)).then(reply => {
    isAnswered = true
    return reply
  })
  await turn()
  assert.deepEqual([victim.task.isAborted, bystander.task.isAborted, isAnswered], [true, false, false])
  device.finish(1)
  assert.equal((await preempt).status, Status.good)
  assert.equal((await victim.reply).status, Status.taskAborted)
  device.finish(2)
  assert.equal((await bystander.reply).status, Status.good)
  assert.deepEqual(await b.attentions(), ['REGISTRATIONS PREEMPTED'])
})

test('a reset ends the tasks of all, and tells everybody BUS DEVICE RESET FUNCTION OCCURRED (SAM-5 6.3.3)', async () => {
  const device = new SlowDevice()
  const { unit, initiators } = await testUnit(2, { device })
  const tasks = initiators.map((initiator, index) => read(initiator, index))
  await turn()
  const reset = unit.logicalUnitReset(initiators[0].nexus)
  device.finish(0)
  device.finish(1)
  await reset
  assert.ok(tasks.every(({ task }) => task.isAborted))
  for (const initiator of initiators) assert.deepEqual(await initiator.attentions(), ['BUS DEVICE RESET FUNCTION OCCURRED'])
})

test('in any mix of attributes, ends and aborts: nothing overtakes what it has to wait for, and everything is answered once', async () => {
  const command = fc.record({ attribute: fc.constantFrom(simple, simple, ordered, headOfQueue) })
  const event = fc.oneof(
    { weight: 3, arbitrary: command },
    { weight: 2, arbitrary: fc.record({ finish: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ abort: fc.nat(20) }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40, size: 'max' }), async events => {
      const device = new SlowDevice()
      const { unit, initiators } = await testUnit(1, { device })
      const tasks: (ReturnType<typeof read> & { readonly attribute: number })[] = []
      const live = new Set<number>()
      const aborts: Promise<void>[] = []
      const check = (): void => {
        const running = new Set(device.reading)
        for (const lba of running) {
          const older = [...live].filter(other => other < lba)
          const { attribute } = tasks[lba]
          if (attribute === ordered) assert.deepEqual(older, [], `${lba} overtook older commands`)
          if (attribute === simple) assert.ok(!older.some(other => tasks[other].attribute === ordered), `${lba} overtook an ORDERED command`)
        }
        for (const lba of live) if (tasks[lba].attribute === headOfQueue) assert.ok(running.has(lba), 'HEAD OF QUEUE runs')
      }
      for (const one of events) {
        if ('attribute' in one) {
          const lba = tasks.length
          tasks.push({ ...read(initiators[0], lba, one.attribute), attribute: one.attribute })
          live.add(lba)
          void tasks[lba].reply.then(() => live.delete(lba))
        } else if ('finish' in one) {
          const lba = device.reading[one.finish % Math.max(1, device.reading.length)]
          if (lba !== undefined) device.finish(lba)
        } else if (tasks.length > 0) {
          aborts.push(unit.abortTask(tasks[one.abort % tasks.length].task))
        }
        await turn()
        check()
      }
      while (device.reading.length > 0) {
        for (const lba of device.reading) device.finish(lba)
        await turn()
        check()
      }
      await Promise.all([...aborts, ...tasks.map(({ reply }) => reply)])
      assert.equal(unit.pendingTasks, 0)
    }),
    { numRuns: 300 },
  )
})
