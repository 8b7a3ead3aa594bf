import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { askWorkers, tellWorkers, withSuccessor } from './tell-workers.ts'

const lost = Object.assign(new Error('worker 1 died'), { code: 'WORKER_LOST' })

test('all workers are asked; one that dies, or has not begun, has nothing; one that fails is heard', async () => {
  const calls: string[] = []
  const node = (answers: readonly (() => Promise<unknown>)[]) => ({
    workers: answers.length,
    call(worker: number, object: string, method: string, argument: unknown) {
      calls.push(`${worker} ${object}.${method}(${String(argument)})`)
      return answers[worker]()
    },
  })
  const absent = Object.assign(new Error('no such object'), { code: 'NO_SUCH_OBJECT' })
  const some = node([async () => 'a', () => Promise.reject(lost), () => Promise.reject(absent), async () => undefined])
  assert.deepEqual(await askWorkers(some, 'object', 'method', 1), ['a', undefined])
  assert.deepEqual(calls, ['0 object.method(1)', '1 object.method(1)', '2 object.method(1)', '3 object.method(1)'])
  await assert.rejects(askWorkers(node([async () => 'a', () => Promise.reject(new TypeError('a bug'))]), 'object', 'method', 1), TypeError)
})

test('one that does not answer is not waited for without end', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const node = { workers: 2, call: (worker: number) => (worker === 0 ? Promise.resolve('a') : new Promise<never>(() => {})) }
    const [answers, told] = [askWorkers(node, 'object', 'method', 1), tellWorkers(node, 'object', 'method', 1)]
    mock.timers.tick(15_000)
    assert.deepEqual([await answers, await told], [['a'], undefined])
  } finally {
    mock.timers.reset()
  }
})

test('what a worker has died of is done again by its successor, who knows; but not without end', async () => {
  const attempts: boolean[] = []
  const die = async (again: boolean): Promise<string> => {
    attempts.push(again)
    if (attempts.length < 3) throw lost
    return 'done'
  }
  assert.equal(await withSuccessor(die), 'done')
  assert.deepEqual(attempts, [false, true, true])
  await assert.rejects(
    withSuccessor(() => Promise.reject(lost)),
    { code: 'WORKER_LOST' },
  )
})
