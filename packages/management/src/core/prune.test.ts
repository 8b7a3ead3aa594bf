import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cores } from './test-support/cores.ts'
import { origin, TestNode, volumeCreate } from './test-support/managed.ts'
import { settle } from './test-support/virtual-time.ts'

const hourMs = 3_600_000

const countOf = async ({ store }: Cores, prefix: string): Promise<number> => (await store.range({ prefix })).entries.length

test('records of operations go after their time, but for those that have not ended; idempotency keys after theirs', async () => {
  const node = new TestNode()
  const cores = await Cores.open({
    managed: node.managed,
    limits: { operationsMs: 4 * hourMs, idempotencyMs: 2 * hourMs, sessionMs: 1000 * hourMs, idleMs: 1000 * hourMs },
  })
  const session = await cores.session(await cores.login())
  const [old, running] = [
    await session.start('volume.create', volumeCreate('a'), { ...origin, idempotencyKey: 'k' }),
    await session.start('volume.create', volumeCreate('b'), origin),
  ]
  await settle()
  node.run('a').done()
  await cores.time.advance(1.5 * hourMs)
  assert.equal(await countOf(cores, 'api/key/'), 1)
  await cores.time.advance(2 * hourMs)
  assert.equal(await countOf(cores, 'api/key/'), 0)
  assert.ok(await cores.core().operations.get(old.id))
  await cores.time.advance(2 * hourMs)
  assert.equal(await cores.core().operations.get(old.id), undefined)
  assert.equal((await cores.core().operations.get(running.id))?.state, 'running')
  assert.equal(await countOf(cores, `api/of/${session.id}/`), 1)
})

test('of operations and of the audit log the newest are kept', async () => {
  const node = new TestNode()
  node.result = () => null
  const cores = await Cores.open({ managed: node.managed, limits: { operations: 3, audit: 5 } })
  const session = await cores.session(await cores.login())
  const ids: string[] = []
  for (let n = 0; n < 60; n++) ids.push((await session.start('volume.create', volumeCreate(`v${n}`), origin)).id)
  await cores.time.advance(100_000)
  const { items } = await cores.core().operations.list({})
  assert.deepEqual(items.map(({ id }) => id), ids.slice(-3).reverse()) // prettier-ignore
  assert.equal((await cores.core().audit.list({})).items.length, 5)
  assert.equal(await countOf(cores, 'api/of/'), 3)
})
