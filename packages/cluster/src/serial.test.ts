import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Serial } from './serial.ts'

/** Work that ends when it is told to; `begun` and `ended` are its traces. */
class Work {
  readonly trace: string[] = []
  readonly #ends = new Map<string, (failure?: Error) => void>()

  of(title: string): () => Promise<string> {
    return async () => {
      this.trace.push(`${title} begins`)
      await new Promise<void>((resolve, reject) => this.#ends.set(title, failure => (failure ? reject(failure) : resolve())))
      this.trace.push(`${title} ends`)
      return title
    }
  }

  async end(title: string, failure?: Error): Promise<void> {
    this.#ends.get(title)!(failure)
    await new Promise(setImmediate)
  }
}

test('what has one name happens one after the other, what has others beside it', async () => {
  const serial = new Serial()
  const work = new Work()
  const [first, second] = [serial.run('a', work.of('first')), serial.run('a', work.of('second'))]
  const other = serial.run('b', work.of('other'))
  assert.deepEqual(work.trace, ['first begins', 'other begins'])
  await work.end('first')
  assert.deepEqual(work.trace.slice(2), ['first ends', 'second begins'])
  await work.end('second')
  await work.end('other')
  assert.deepEqual(await Promise.all([first, second, other]), ['first', 'second', 'other'])
})

test('what has several names waits for all of them, and all of them for it', async () => {
  const serial = new Serial()
  const work = new Work()
  const done = [
    serial.run('a', work.of('a')),
    serial.run('b', work.of('b')),
    serial.run(['a', 'b'], work.of('both')),
    serial.run('b', work.of('last')),
  ]
  await work.end('a')
  assert.deepEqual(work.trace, ['a begins', 'b begins', 'a ends'])
  await work.end('b')
  assert.deepEqual(work.trace.slice(3), ['b ends', 'both begins'])
  await work.end('both')
  await work.end('last')
  await Promise.all(done)
  assert.deepEqual(work.trace.slice(5), ['both ends', 'last begins', 'last ends'])
})

test('a failure is heard by whoever asked for it, and keeps nobody from being next', async () => {
  const serial = new Serial()
  const work = new Work()
  const failing = assert.rejects(serial.run('a', work.of('first')), /broken/)
  const next = serial.run('a', async () => 'next')
  await work.end('first', new Error('broken'))
  await failing
  assert.equal(await next, 'next')
})
