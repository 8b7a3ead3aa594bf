import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ReadinessCheck, watchReadiness } from './readiness.ts'

test('troubles are told in the order of the checks, errors by their code and nothing else of them', async () => {
  const failures: [string, unknown][] = []
  const broken = Object.assign(new Error("ENOENT: no such file or directory, stat '/srv/secret'"), { code: 'ENOENT' })
  const checks: ReadinessCheck[] = [
    { name: 'store', look: () => [] },
    { name: 'share docs', look: () => Promise.reject(broken) },
    {
      name: 'worker 1',
      look: () => {
        throw new Error('an inner secret')
      },
    },
    { name: 'volumes', look: async () => [{ name: 'volume disk0', detail: 'READ_FAILED' }] },
  ]
  const troubles = watchReadiness({ checks: () => checks, onError: (name, error) => void failures.push([name, error]) })
  assert.deepEqual(await troubles(), [
    { name: 'share docs', detail: 'ENOENT' },
    { name: 'worker 1', detail: 'it failed' },
    { name: 'volume disk0', detail: 'READ_FAILED' },
  ])
  assert.deepEqual(failures.map(([name]) => name).sort(), ['share docs', 'worker 1'])
})

test('however often it is asked, each check runs once a second', async () => {
  let nowMs = 0
  let looks = 0
  let detail = 'down'
  const look = () => {
    looks++
    return [{ name: 'store', detail }]
  }
  const troubles = watchReadiness({ checks: () => [{ name: 'store', look }], now: () => nowMs })
  const answers = await Promise.all(Array.from({ length: 1000 }, () => troubles()))
  assert.ok(answers.every(([trouble]) => trouble.detail === 'down'))
  detail = 'worse'
  nowMs = 999
  assert.equal((await troubles())[0].detail, 'down')
  assert.equal(looks, 1)
  nowMs = 1000
  assert.equal((await troubles())[0].detail, 'worse')
  assert.equal(looks, 2)
})

test('what does not answer is a trouble, is not asked again meanwhile, and is none when it answers', async () => {
  let looks = 0
  let finish = (): void => undefined
  const hung: ReadinessCheck = {
    name: 'share far',
    look() {
      looks++
      return new Promise(resolve => (finish = () => resolve([])))
    },
  }
  const troubles = watchReadiness({ checks: () => [hung, { name: 'store', look: () => [] }], freshMs: 0, patienceMs: 1 })
  for (let i = 0; i < 5; i++) assert.deepEqual(await troubles(), [{ name: 'share far', detail: 'it does not answer' }])
  assert.equal(looks, 1)
  finish()
  await new Promise(resolve => setImmediate(resolve))
  const again = troubles()
  await new Promise(resolve => setImmediate(resolve))
  finish()
  await again
  assert.equal(looks, 2)
})
