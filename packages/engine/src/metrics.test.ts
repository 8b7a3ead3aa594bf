import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { ConnectionManager } from './index.ts'
import type { WorkerMail } from './shared/layout.ts'
import { Metrics } from './manager/metrics.ts'
import type { WorkerHandle } from './manager/worker-handle.ts'
import { boundedLabel } from './metrics.ts'
import { lengthPrefixed } from './test-support/framing.ts'
import { SharedCounters } from './worker/counters.ts'
import type { MetricSample } from './worker-api.ts'

type CounterMail = Extract<WorkerMail, { kind: 'counter' }>

/** A worker's metrics as the manager has them. */
function worker(slots = 64): { readonly counters: SharedCounters; readonly handle: WorkerHandle } {
  const memory = new SharedArrayBuffer(8 * slots)
  const names = new Map<number, CounterMail>()
  const counters = new SharedCounters(memory, mail => void names.set((mail as CounterMail).slot, structuredClone(mail) as CounterMail))
  return { counters, handle: { alive: true, names, counters: new Float64Array(memory) } as unknown as WorkerHandle }
}

const bounds = [0.001, 0.01, 0.1]
const named = (samples: readonly MetricSample[], name: string): MetricSample[] => samples.filter(sample => sample.name === name)

test('a histogram counts what is at most a bound in its bucket, and what is above all in the last', () => {
  using metrics = new Metrics()
  const { counters, handle } = worker()
  const histogram = counters.histogram('x_seconds', 'X', bounds, { command: 'read' })
  for (const seconds of [0, 0.001, 0.0011, 0.1, 0.1001, 50]) histogram.observe(seconds)
  const [sample] = named(metrics.snapshot([handle]), 'x_seconds')
  assert.deepEqual(sample, {
    name: 'x_seconds',
    help: 'X',
    type: 'histogram',
    labels: { command: 'read' },
    value: 6,
    histogram: { bounds, counts: [2, 1, 1, 2], sum: 0 + 0.001 + 0.0011 + 0.1 + 0.1001 + 50 },
  })
})

test('numbers of one name and labels are the same one; a histogram has room for all its buckets', () => {
  using metrics = new Metrics()
  const { counters, handle } = worker()
  counters.counter('a_total', 'A').add()
  counters.histogram('x_seconds', 'X', bounds).observe(1)
  counters.counter('b_total', 'B').add(5)
  counters.histogram('x_seconds', 'X', bounds).observe(0)
  counters.counter('a_total', 'A').add()
  const samples = metrics.snapshot([handle])
  assert.deepEqual(
    ['a_total', 'b_total', 'x_seconds'].map(name => named(samples, name).map(({ value }) => value)),
    [[2], [5], [2]],
  )
  assert.deepEqual(named(samples, 'x_seconds')[0].histogram, { bounds, counts: [1, 0, 0, 1], sum: 1 })
})

test('workers are summed, and counters and histograms of one that died stay: nothing but gauges goes back', () => {
  using metrics = new Metrics()
  const first = worker()
  const second = worker()
  for (const { counters } of [first, second]) {
    counters.counter('a_total', 'A').add(3)
    counters.gauge('open', 'O').add(2)
    counters.histogram('x_seconds', 'X', bounds).observe(0.0625)
  }
  const seen = (handles: WorkerHandle[]): unknown => {
    const samples = metrics.snapshot(handles)
    return [named(samples, 'a_total')[0].value, named(samples, 'open')[0]?.value, named(samples, 'x_seconds')[0].histogram]
  }
  const both = { bounds, counts: [0, 0, 2, 0], sum: 0.125 }
  assert.deepEqual(seen([first.handle, second.handle]), [6, 4, both])
  metrics.retire(first.handle)
  assert.deepEqual(seen([first.handle, second.handle]), [6, 2, both])
  const successor = worker()
  successor.counters.histogram('x_seconds', 'X', bounds).observe(50)
  successor.counters.counter('a_total', 'A').add()
  assert.deepEqual(seen([successor.handle, second.handle]), [7, 2, { bounds, counts: [0, 0, 2, 1], sum: 50.125 }])
})

test('a worker that makes more numbers than there is room for is told', () => {
  const { counters } = worker(5)
  counters.counter('a_total', 'A')
  assert.throws(() => counters.histogram('x_seconds', 'X', bounds), /more than 5 numbers/)
  counters.histogram('y_seconds', 'Y', [1, 2])
})

test('the manager tells how busy its thread is, how late its event loop, and what the process takes', async () => {
  using metrics = new Metrics()
  const busy = (): number | undefined =>
    named(metrics.snapshot([]), 'holdfast_thread_busy_seconds_total').find(({ labels }) => labels['thread'] === 'manager')?.value
  while ((named(metrics.snapshot([]), 'holdfast_event_loop_delay_seconds')[0]?.value ?? 0) < 2) {
    const end = performance.now() + 10
    while (performance.now() < end);
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  assert.ok(busy()! > 0)
  assert.ok(named(metrics.snapshot([]), 'process_resident_memory_bytes')[0].value > 1 << 20)
})

test('a bounded label keeps the first names it meets, and calls the rest other', () => {
  const label = boundedLabel(2)
  assert.deepEqual(['a', 'b', 'c', 'a', 'd', 'b'].map(label), ['a', 'b', 'other', 'a', 'other', 'b'])
})

test('of a worker that is killed nothing but gauges goes back, and its successor is counted on top', async () => {
  const workerModule = new URL('./test-support/echo-worker.ts', import.meta.url)
  await using manager = await ConnectionManager.start({ workers: 1, workerModule })
  const { port } = await manager.listen({ protocol: 'echo', framing: lengthPrefixed, distributed: true, host: '127.0.0.1', port: 0 })
  const value = (name: string, labels: Readonly<Record<string, string>> = {}): number =>
    named(manager.snapshot(), name)
      .filter(sample => Object.entries(labels).every(([label, text]) => sample.labels[label] === text))
      .reduce((sum, sample) => sum + sample.value, 0)
  const busy = (): number => value('holdfast_thread_busy_seconds_total', { thread: 'worker-0' })
  const looks = (): number => value('holdfast_event_loop_delay_seconds', { thread: 'worker-0' })
  const until = async (holds: () => boolean): Promise<void> => {
    for (let tries = 0; !holds() && tries < 500; tries++) await new Promise(resolve => setTimeout(resolve, 10))
    assert.ok(holds())
  }
  const ask = async (): Promise<void> => {
    const socket = connect(port, '127.0.0.1')
    socket.write(Buffer.from([0, 0, 0, 1, 0x65]))
    await once(socket, 'data')
    socket.destroy()
  }
  await ask()
  await until(() => busy() > 0 && looks() > 1)
  assert.equal(value('test_messages_total'), 1)
  const before = { busy: busy(), looks: looks() }
  manager.killWorker(0)
  await until(() => value('holdfast_worker_deaths_total') === 1)
  assert.ok(busy() >= before.busy && looks() >= before.looks)
  assert.equal(value('test_messages_total'), 1)
  await ask()
  assert.equal(value('test_messages_total'), 2)
  const after = looks()
  await until(() => looks() > after)
})
