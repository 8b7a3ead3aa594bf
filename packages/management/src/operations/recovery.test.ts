import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cores, RecordingSink } from '../core/test-support/cores.ts'
import { origin, TestNode, volumeCreate } from '../core/test-support/managed.ts'
import { settle } from '../core/test-support/virtual-time.ts'

test('after a crash what ran goes on and says so, what was being cancelled is undone, what was queued begins, all in the order of their target', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed })
  const token = await cores.login()
  const session = await cores.session(token)
  const running = await session.start('volume.create', volumeCreate('running'), origin)
  const queued = await session.start('volume.change', { parameters: { name: 'running' }, query: undefined, body: {} }, origin)
  const cancelling = await session.start('volume.create', volumeCreate('cancelling'), origin)
  await settle()
  node.isDeaf = true
  await session.cancel(cancelling.id, origin)
  cores.dropAll()
  node.runs.splice(0)

  await cores.startAll()
  await settle()
  const shown = (): string[] => node.runs.map(({ kind, what, name, context }) => `${kind} ${what} ${name}${context.again ? ' again' : ''}`)
  assert.deepEqual(shown().sort(), ['volume.create run running again', 'volume.create undo cancelling again'])
  for (const { done } of node.runs) done()
  await settle()
  assert.deepEqual(shown(), ['volume.change run running'])
  node.run('running').done()
  await settle()
  const outcomes = await Promise.all([running, queued, cancelling].map(({ id }) => cores.core().operations.get(id)))
  assert.deepEqual(
    outcomes.map(operation => [operation?.state, operation?.recovery]),
    [
      ['succeeded', 'resumed'],
      ['succeeded', undefined],
      ['cancelled', 'rolled-back'],
    ],
  )
  const sink = new RecordingSink()
  const again = await cores.session(token)
  again.subscribe({}, sink)
  await settle()
  const of = (id: string): string[] => sink.told.filter(told => told.startsWith(id.slice(-4))).map(told => told.slice(5))
  assert.deepEqual(of(running.id), ['queued', 'running', 'running', 'succeeded'])
  assert.deepEqual(of(cancelling.id), ['queued', 'running', 'cancelling', 'cancelling', 'cancelled'])
})

test('with another number of workers all sessions and operations are found again', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed, workers: 3 })
  const tokens = await Promise.all(Array.from({ length: 20 }, () => cores.login()))
  const ids = await Promise.all(
    tokens.map(async (token, n) => (await (await cores.session(token)).start('volume.create', volumeCreate(`v${n}`), origin)).id),
  )
  await settle()
  cores.dropAll()
  node.runs.splice(0)
  node.result = ({ name }) => ({ name })
  await cores.startAll(2)
  await settle()
  const sinks = await Promise.all(
    tokens.map(async token => {
      const sink = new RecordingSink()
      const session = await cores.session(token)
      session.subscribe({}, sink)
      return sink
    }),
  )
  await settle()
  assert.deepEqual(sinks.map(({ told }) => told), ids.map(id => ['queued', 'running', 'running', 'succeeded'].map(state => `${id.slice(-4)} ${state}`))) // prettier-ignore
})

test('a worker that takes itself for the owner after another has taken over writes nothing more', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed })
  const token = await cores.login()
  const session = await cores.session(token)
  const { id } = await session.start('volume.create', volumeCreate('a'), origin)
  await settle()
  const [zombie] = node.runs
  const former = new RecordingSink()
  session.subscribe({}, former)
  await settle()
  await cores.start(0)
  await settle()
  zombie?.done({ by: 'zombie' })
  await settle()
  assert.equal((await cores.core().operations.get(id))?.state, 'running')
  assert.equal(former.ended, 'closed')
  await assert.rejects(session.start('volume.create', volumeCreate('b'), origin), { code: 'UNAVAILABLE' })
  node.runs.find(({ context }) => context.again)?.done({ by: 'successor' })
  await settle()
  assert.deepEqual((await cores.core().operations.get(id))?.result, { by: 'successor' })
})

test('a core that closes asks what runs to stop; the next one goes on with it', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed })
  const session = await cores.session(await cores.login())
  const sink = new RecordingSink()
  session.subscribe({}, sink)
  const { id } = await session.start('volume.create', volumeCreate('a'), origin)
  await settle()
  const { signal } = node.run('a').context
  await cores.core().close()
  assert.deepEqual([signal.aborted, sink.ended, node.runs.length], [true, 'closed', 0])
  await cores.startAll()
  await settle()
  node.run('a').done()
  await settle()
  const operation = await cores.core().operations.get(id)
  assert.deepEqual([operation?.state, operation?.recovery], ['succeeded', 'resumed'])
})

test('operations of a session that has ended go on, also after a crash', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed })
  const token = await cores.login()
  const session = await cores.session(token)
  const { id } = await session.start('volume.create', volumeCreate('a'), origin)
  await settle()
  await session.logout(origin)
  cores.dropAll()
  node.runs.splice(0)
  await cores.startAll()
  await settle()
  node.run('a').done()
  await settle()
  assert.equal((await cores.core().operations.get(id))?.state, 'succeeded')
  assert.equal(await cores.find(token), undefined)
  assert.deepEqual((await cores.store.range({ prefix: `api/log/${session.id}` })).entries, [])
})

test('an operation whose request cannot be read any more fails, and nothing else does', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed })
  const token = await cores.login()
  const session = await cores.session(token)
  const [broken, whole] = [
    await session.start('volume.create', volumeCreate('a'), origin),
    await session.start('volume.create', volumeCreate('b'), origin),
  ]
  await settle()
  cores.dropAll()
  node.runs.splice(0)
  await cores.store.txn({ success: [{ type: 'put', key: `api/pending/${session.id}/${broken.id}`, value: Buffer.from('["elsewhere",""]') }] })
  await cores.startAll()
  await settle()
  node.run('b').done()
  await settle()
  const outcomes = await Promise.all([broken, whole].map(async ({ id }) => (await cores.core().operations.get(id))?.state))
  assert.deepEqual(outcomes, ['failed', 'succeeded'])
  assert.equal((await cores.store.range({ prefix: 'api/target' })).entries.length, 0)
})

test('a core that is closed does not say that there is no such session', async () => {
  const cores = await Cores.open({ managed: new TestNode().managed })
  const token = await cores.login()
  await cores.core().close()
  await assert.rejects(cores.find(token), { code: 'UNAVAILABLE' })
})

test('what does not stop when it is asked to does not hold up the end for long; it goes on with the next core', async () => {
  const node = new TestNode()
  node.isDeaf = true
  const cores = await Cores.open({ managed: node.managed })
  const session = await cores.session(await cores.login())
  const { id } = await session.start('volume.create', volumeCreate('a'), origin)
  await settle()
  const closed = cores.core().close()
  await cores.time.advance(10_000)
  await closed
  const [deaf] = node.runs.splice(0)
  await cores.startAll()
  await settle()
  deaf?.done('too late')
  node.run('a').done('in time')
  await settle()
  assert.equal((await cores.core().operations.get(id))?.result, 'in time')
})
