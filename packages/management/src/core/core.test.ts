import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cores, RecordingSink } from './test-support/cores.ts'
import { origin, TestNode, volumeCreate, volumeNamed } from './test-support/managed.ts'
import { settle } from './test-support/virtual-time.ts'

const codeOf = (code: string): { readonly code: string } => ({ code })

test('a receipt comes before the action runs, and its outcome on the stream', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed })
  const session = await cores.session(await cores.login())
  const sink = new RecordingSink()
  session.subscribe({}, sink)
  const received = await session.start('volume.create', volumeCreate('disk1'), origin)
  assert.deepEqual([received.state, received.target, node.names], ['queued', '/v1/volumes/disk1', []])
  await settle()
  const { context, done } = node.run('disk1')
  assert.deepEqual([context.again, context.user], [false, 'alice'])
  done({ name: 'disk1' })
  await settle()
  const tail = received.id.slice(-4)
  assert.deepEqual(sink.told, [`${tail} queued`, `${tail} running`, `${tail} succeeded`])
  const last = JSON.parse(sink.events[2]?.data ?? '') as Record<string, unknown>
  assert.deepEqual(
    [last['id'], last['percent'], last['result'], last['request']],
    [sink.cursor, 100, { name: 'disk1' }, { name: 'disk1', size: '1GiB' }],
  )
  assert.deepEqual((await cores.core().operations.get(received.id))?.result, { name: 'disk1' })
})

test('what an action throws is the problem of its operation, by its code; what has none is for the log', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed })
  const session = await cores.session(await cores.login())
  const full = await session.start('volume.create', volumeCreate('full'), origin)
  const odd = await session.start('volume.create', volumeCreate('odd'), origin)
  await settle()
  node.run('full').fail(Object.assign(new Error('The disk is full.'), { code: 'NO_SPACE' }))
  node.run('odd').fail(new Error('secret detail'))
  await settle()
  const problems = await Promise.all([full, odd].map(async ({ id }) => (await cores.core().operations.get(id))?.problem))
  assert.deepEqual(
    problems.map(problem => [problem?.status, problem?.code, problem?.detail]),
    [
      [507, 'NO_SPACE', 'The disk is full.'],
      [500, 'INTERNAL', 'The node could not do this; its log says why.'],
    ],
  )
  assert.match(cores.logs.join(), /secret detail/)
})

test('operations of one target come one after the other, those of others at once, up to the limit', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed, limits: { running: 2 } })
  const session = await cores.session(await cores.login())
  await session.start('volume.create', volumeCreate('a'), origin)
  await session.start('volume.delete', volumeNamed('a'), origin)
  for (const name of ['b', 'c']) await session.start('volume.create', volumeCreate(name), origin)
  await settle()
  assert.deepEqual(node.runs.map(({ kind, name }) => `${kind} ${name}`), ['volume.create a', 'volume.create b']) // prettier-ignore
  node.run('b').done()
  await settle()
  assert.deepEqual(node.names, ['a', 'c'])
  node.run('a').done()
  await settle()
  assert.deepEqual(node.runs.map(({ kind, name }) => `${kind} ${name}`), ['volume.create c', 'volume.delete a']) // prettier-ignore
})

test('a target that an operation of another worker has is waited for', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed, workers: 2 })
  const sessions = await Promise.all([0, 1].map(async worker => cores.session(await loginAt(cores, worker))))
  await sessions[0]?.start('volume.create', volumeCreate('a'), origin)
  await settle()
  await sessions[1]?.start('volume.change', { ...volumeNamed('a'), body: {} }, origin)
  await settle()
  assert.deepEqual(node.runs.map(({ kind }) => kind), ['volume.create']) // prettier-ignore
  node.run('a').done()
  await settle()
  assert.deepEqual(node.runs.map(({ kind }) => kind), ['volume.change']) // prettier-ignore
})

/** A session that this worker owns. */
async function loginAt(cores: Cores, worker: number): Promise<string> {
  for (;;) {
    const token = await cores.login()
    if (cores.core().ownerOf(token) === worker) return token
  }
}

test('cancelling: at once while queued; what runs is stopped and undone; what has no undo cannot be, what has ended neither', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed, limits: { running: 1 } })
  const session = await cores.session(await cores.login())
  const first = await session.start('volume.create', volumeCreate('a'), origin)
  const second = await session.start('volume.create', volumeCreate('b'), origin)
  await settle()
  assert.equal((await session.cancel(second.id, origin)).state, 'cancelled')
  assert.equal((await session.cancel(first.id, origin)).state, 'cancelling')
  await settle()
  assert.deepEqual(node.runs.map(({ name, what }) => `${what} ${name}`), ['undo a']) // prettier-ignore
  assert.equal((await session.cancel(first.id, origin)).state, 'cancelling')
  node.run('a').done()
  await settle()
  assert.equal((await cores.core().operations.get(first.id))?.state, 'cancelled')
  await assert.rejects(session.cancel(first.id, origin), codeOf('OPERATION_ENDED'))
  await assert.rejects(session.cancel('0'.repeat(24), origin), codeOf('UNKNOWN_OPERATION'))
  const third = await session.start('volume.delete', volumeNamed('a'), origin)
  await settle()
  await assert.rejects(session.cancel(third.id, origin), codeOf('NOT_CANCELLABLE'))
  node.run('a').done()
  await settle()
  assert.equal((await cores.core().operations.get(third.id))?.state, 'succeeded')
})

test('a result that comes after the cancellation is undone', async () => {
  const node = new TestNode()
  node.isDeaf = true
  const cores = await Cores.open({ managed: node.managed })
  const session = await cores.session(await cores.login())
  const { id } = await session.start('volume.create', volumeCreate('a'), origin)
  await settle()
  await session.cancel(id, origin)
  node.run('a').done()
  await settle()
  assert.deepEqual(node.runs.map(({ what }) => what), ['undo']) // prettier-ignore
  node.run('a').fail(new Error('cannot'))
  await settle()
  assert.equal((await cores.core().operations.get(id))?.state, 'failed')
})

test('an idempotency key finds its operation again for a day, whatever `check` would say now; for another request it is refused', async () => {
  const node = new TestNode()
  node.result = () => null
  const cores = await Cores.open({ managed: node.managed, workers: 2 })
  const [here, there] = await Promise.all([0, 1].map(async worker => cores.session(await loginAt(cores, worker))))
  const keyed = { ...origin, idempotencyKey: 'k' }
  const both = await Promise.all([here, there].map(session => session?.start('volume.create', volumeCreate('a'), keyed)))
  assert.equal(both[0]?.id, both[1]?.id)
  await settle()
  node.refusals.set('a', Object.assign(new Error('There is one.'), { code: 'VOLUME_EXISTS' }))
  const again = await there?.start('volume.create', volumeCreate('a'), keyed)
  assert.deepEqual([again?.id, again?.state], [both[0]?.id, 'succeeded'])
  await assert.rejects(there?.start('volume.create', volumeCreate('b'), keyed) ?? Promise.resolve(), codeOf('IDEMPOTENCY_KEY_REUSED'))
  await assert.rejects(there?.start('volume.create', volumeCreate('a'), origin) ?? Promise.resolve(), codeOf('VOLUME_EXISTS'))
  const victor = await cores.session(await cores.login({ user: 'victor', password: 'secret', address: '192.0.2.2' }))
  assert.notEqual((await victor.start('volume.create', volumeCreate('b'), keyed)).id, both[0]?.id)
})

test('a key that is older than it is kept begins another operation', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed, limits: { idempotencyMs: 1000 } })
  const session = await cores.session(await cores.login())
  const keyed = { ...origin, idempotencyKey: 'k' }
  const first = await session.start('volume.create', volumeCreate('a'), keyed)
  await cores.time.advance(999)
  assert.equal((await session.start('volume.create', volumeCreate('a'), keyed)).id, first.id)
  await cores.time.advance(1)
  const second = await session.start('volume.create', volumeCreate('b'), keyed)
  assert.notEqual(second.id, first.id)
  assert.equal((await session.start('volume.create', volumeCreate('b'), keyed)).id, second.id)
})

test('progress is told at most four times a second, the last of it in any case, and kept with its checkpoint', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed })
  const session = await cores.session(await cores.login())
  const { id } = await session.start('volume.create', volumeCreate('a'), origin)
  await settle()
  const { context } = node.run('a')
  const sink = new RecordingSink()
  session.subscribe({}, sink)
  for (let percent = 1; percent <= 100; percent++) {
    context.progress({ percent, note: `page ${percent}`, checkpoint: { page: percent } })
    await cores.time.advance(10)
  }
  await cores.time.advance(1000)
  const progress = sink.events.map(({ data }) => JSON.parse(data) as { percent: number; note?: string }).filter(({ percent }) => percent > 0)
  assert.deepEqual(progress.map(({ percent }) => percent), [25, 50, 75, 100]) // prettier-ignore
  assert.equal((await cores.core().operations.get(id))?.note, 'page 100')
  cores.dropAll()
  await cores.startAll()
  await settle()
  const resumed = node.runs.find(({ context }) => context.again)
  assert.deepEqual(resumed?.context.checkpoint, { page: 100 })
})

test('a session may have so many operations that have not ended', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed, limits: { unfinished: 2 } })
  const session = await cores.session(await cores.login())
  for (const name of ['a', 'b']) await session.start('volume.create', volumeCreate(name), origin)
  await assert.rejects(session.start('volume.create', volumeCreate('c'), origin), codeOf('TOO_MANY_OPERATIONS'))
  await settle()
  node.run('a').done()
  await settle()
  await session.start('volume.create', volumeCreate('c'), origin)
})

test('a password is neither in the operation, nor in an event, nor in the audit log, nor anywhere in the store as it is', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed })
  const session = await cores.session(await cores.login())
  const asked = { parameters: {}, query: undefined, body: { name: 'bob', password: 'hunter2', role: 'viewer' as const } }
  const { request } = await session.start('user.create', asked, origin)
  await settle()
  assert.deepEqual(request, { name: 'bob', role: 'viewer' })
  assert.deepEqual(node.run('bob').asked.body, asked.body)
  const shown = async (): Promise<string[]> =>
    (await cores.store.range({ prefix: '' })).entries.map(({ key, value }) => `${key} ${Buffer.from(value).toString()}`)
  assert.equal((await shown()).filter(entry => entry.includes('hunter2')).length, 0)
  assert.equal((await shown()).filter(entry => entry.startsWith('api/pending/')).length, 1)
  node.run('bob').done()
  await settle()
  assert.equal((await shown()).filter(entry => entry.startsWith('api/pending/') || entry.startsWith('api/target')).length, 0)
})

test('the audit log has logins, operations and cancellations with what became of them, the newest first', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed })
  await assert.rejects(cores.login({ user: 'mallory', password: 'guess', address: '192.0.2.66' }), codeOf('WRONG_CREDENTIALS'))
  await assert.rejects(cores.login({ user: 'ulla', password: 'secret', address: '192.0.2.3' }), codeOf('FORBIDDEN'))
  const session = await cores.session(await cores.login())
  node.refusals.set('no', Object.assign(new Error('There is one.'), { code: 'VOLUME_EXISTS' }))
  await assert.rejects(session.start('volume.create', volumeCreate('no'), origin), codeOf('VOLUME_EXISTS'))
  const { id } = await session.start('volume.create', volumeCreate('a'), origin)
  await settle()
  await session.cancel(id, origin)
  await settle()
  node.run('a').done()
  await settle()
  await session.logout(origin)
  const { items, next } = await cores.core().audit.list({})
  assert.equal(next, null)
  assert.deepEqual(
    items.map(({ user, action, target, outcome, detail }) => [user, action, target.replace(id, 'ID'), outcome, detail].join(' ').trim()).reverse(),
    [
      'mallory login /v1/login refused WRONG_CREDENTIALS',
      'ulla login /v1/login refused FORBIDDEN',
      'alice login /v1/login done',
      'alice volume.create /v1/volumes/no refused VOLUME_EXISTS: There is one.',
      'alice volume.create /v1/volumes/a received',
      'alice operation.cancel /v1/operations/ID done',
      'alice volume.create /v1/volumes/a cancelled',
      'alice logout /v1/logout done',
    ],
  )
})

test('lists come in pages, the newest first, each thing once', async () => {
  const node = new TestNode()
  node.result = () => null
  const cores = await Cores.open({ managed: node.managed })
  const session = await cores.session(await cores.login())
  const ids: string[] = []
  for (let n = 0; n < 7; n++) ids.push((await session.start('volume.create', volumeCreate(`v${n}`), origin)).id)
  await settle()
  const { operations } = cores.core()
  const pages: string[][] = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await operations.list({ cursor, limit: 3, state: 'succeeded' })
    pages.push(page.items.map(({ id }) => id))
    cursor = page.next
  }
  assert.deepEqual(pages.map(({ length }) => length), [3, 3, 1]) // prettier-ignore
  assert.deepEqual(pages.flat(), ids.reverse())
  assert.deepEqual((await operations.list({ state: 'failed' })).items, [])
  await assert.rejects(operations.list({ cursor: 'nonsense' }), codeOf('INVALID'))
})
