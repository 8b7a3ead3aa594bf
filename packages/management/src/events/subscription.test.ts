import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cores, RecordingSink } from '../core/test-support/cores.ts'
import type { CoresOptions } from '../core/test-support/cores.ts'
import type { ApiSession } from '../core/core.ts'
import { origin, TestNode, volumeCreate } from '../core/test-support/managed.ts'
import { settle } from '../core/test-support/virtual-time.ts'
import { parseCursor } from './cursor.ts'

async function begin(
  options: Partial<CoresOptions> = {},
): Promise<{ node: TestNode; cores: Cores; session: ApiSession; make: (...names: string[]) => Promise<void> }> {
  const node = new TestNode()
  node.result = () => null
  const cores = await Cores.open({ managed: node.managed, ...options })
  const session = await cores.session(await cores.login())
  const make = async (...names: string[]): Promise<void> => {
    for (const name of names) await session.start('volume.create', volumeCreate(name), origin)
    await settle()
  }
  return { node, cores, session, make }
}

const numbersOf = ({ events }: RecordingSink): number[] => events.map(({ id }) => parseCursor(id)?.sequence ?? -1)
const from1to = (n: number): number[] => Array.from({ length: n }, (_, at) => at + 1)

test('a stream is told all that is kept, then what comes', async () => {
  const { session, make } = await begin()
  await make(...from1to(50).map(String))
  const sink = new RecordingSink()
  session.subscribe({}, sink)
  assert.deepEqual(sink.events, [])
  await make('x', 'y')
  assert.deepEqual(numbersOf(sink), from1to(156))
})

test('a stream that is opened again with its cursor goes on behind it', async () => {
  const { session, make } = await begin()
  const first = new RecordingSink()
  const subscription = session.subscribe({}, first)
  await make('a')
  subscription.close()
  await make('b')
  const second = new RecordingSink()
  session.subscribe({ after: first.cursor }, second)
  await make('c')
  assert.deepEqual([...numbersOf(first), ...numbersOf(second)], from1to(9))
})

test('while a sink is full nothing is given to it, and nothing is lost', async () => {
  const { session, make } = await begin()
  const sink = new RecordingSink()
  sink.room = 2
  const subscription = session.subscribe({}, sink)
  await make('a', 'b', 'c')
  assert.deepEqual(numbersOf(sink), from1to(2))
  sink.room = 3
  subscription.resume()
  await settle()
  assert.deepEqual(numbersOf(sink), from1to(5))
  sink.room = Infinity
  subscription.resume()
  await make('d')
  assert.deepEqual(numbersOf(sink), from1to(12))
})

test('a stream that was replaced and closes late takes no events from the one that replaced it', async () => {
  const { session, make } = await begin()
  const [first, second] = [new RecordingSink(), new RecordingSink()]
  const older = session.subscribe({}, first)
  session.subscribe({}, second)
  older.close()
  await make('a', 'b')
  assert.deepEqual([numbersOf(first), numbersOf(second)], [[], from1to(6)])
})

test('a session has one stream: a new one ends the one before', async () => {
  const { session, make } = await begin()
  const [first, second] = [new RecordingSink(), new RecordingSink()]
  session.subscribe({}, first).close()
  assert.equal(first.ended, undefined)
  session.subscribe({}, first)
  session.subscribe({}, second)
  await make('a')
  assert.deepEqual([first.ended, first.events.length, second.events.length], ['replaced', 0, 3])
})

test('a cursor of another log is answered with the state of each operation; so is one that the log does not reach back to', async () => {
  const { session, make, cores } = await begin({ limits: { events: 16 } })
  const first = new RecordingSink()
  const subscription = session.subscribe({}, first)
  await make('a')
  subscription.close()
  for (const after of ['0badcafe-3', 'nonsense', `${first.cursor?.split('-')[0]}-99`]) {
    const sink = new RecordingSink()
    session.subscribe({ after }, sink)
    await settle()
    assert.equal(sink.told[0], 'resync unknown-epoch')
    assert.match(sink.told[1] ?? '', /succeeded$/)
    assert.equal(sink.events.length, 2)
  }
  const epoch = first.cursor?.split('-')[0]
  await make(...from1to(9).map(String))
  const { entries } = await cores.store.range({ prefix: `api/log/${session.id}/` })
  assert.ok(entries.length <= 17, `${entries.length} events are kept`)
  const sink = new RecordingSink()
  session.subscribe({ after: `${epoch}-3` }, sink)
  await settle()
  assert.equal(sink.told[0], 'resync too-old')
  assert.deepEqual(sink.told.slice(1).map(told => told.slice(5)), Array.from({ length: 10 }, () => 'succeeded')) // prettier-ignore
  await make('z')
  assert.deepEqual(numbersOf(sink).slice(11), [31, 32, 33])
})

test('a stream that is cut while it is told all states is told all of them again', async () => {
  const { session, make } = await begin()
  await make('a', 'b', 'c')
  const cut = new RecordingSink()
  cut.room = 3
  session.subscribe({ after: 'nonsense' }, cut)
  await settle()
  assert.equal(cut.events.length, 3)
  const again = new RecordingSink()
  session.subscribe({ after: cut.cursor }, again)
  await settle()
  assert.equal(again.told.filter(told => told.endsWith('succeeded')).length, 3)
  const onward = new RecordingSink()
  session.subscribe({ after: again.cursor }, onward)
  await make('d')
  assert.deepEqual(onward.told.map(told => told.slice(5)), ['queued', 'running', 'succeeded']) // prettier-ignore
})

test('what happens while all states are told is told once', async () => {
  const { session, node, make } = await begin()
  node.result = undefined
  await make('a', 'b')
  const sink = new RecordingSink()
  sink.room = 1
  const subscription = session.subscribe({ after: 'nonsense' }, sink)
  await settle()
  node.run('b').done()
  await make('c')
  sink.room = Infinity
  subscription.resume()
  await settle()
  node.run('a').done()
  await settle()
  const states = sink.told.map(told => told.slice(5))
  assert.deepEqual(states.filter(state => state === 'succeeded').length, 2)
  assert.deepEqual(states.slice(1).filter(state => state === 'queued').length, 1)
})
