import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, test } from 'node:test'
import type { ReadStream } from 'node:tty'
import { confirmByKey, Interrupts } from './interrupts.ts'

test('Ctrl-C goes to who has taken it last, and to the process when all have given it back', () => {
  const interrupts = new Interrupts()
  const got: string[] = []
  assert.equal(interrupts.interrupt(), false)
  {
    using _outer = interrupts.take(() => got.push('outer'))
    {
      using _inner = interrupts.take(() => got.push('inner'))
      assert.equal(interrupts.interrupt(), true)
    }
    assert.equal(interrupts.interrupt(), true)
  }
  assert.equal(interrupts.interrupt(), false)
  assert.deepEqual(got, ['inner', 'outer'])
})

describe('a question that one key answers', () => {
  const ask = (signal = new AbortController().signal) => {
    const modes: boolean[] = []
    const keys = Object.assign(new EventEmitter(), { setRawMode: (on: boolean) => modes.push(on), setEncoding() {}, pause() {}, resume() {} })
    const shown: string[] = []
    const output = { write: (text: string) => shown.push(text) } as unknown as NodeJS.WritableStream
    const answer = confirmByKey('Sure? ', signal, keys as unknown as ReadStream, output)
    return { keys, shown, modes, answer }
  }

  for (const [title, key, expected, shown] of [
    ['y is yes', 'y', true, 'y\n'],
    ['so is Y', 'Y', true, 'Y\n'],
    ['all else is no', 'n', false, 'n\n'],
    ['Enter is no', '\r', false, '\n'],
    ['an arrow is no, and moves no cursor', '\u001b[A', false, '\n'],
    ['Ctrl-C is neither', '\u0003', undefined, '\n'],
    ['Ctrl-D is neither', '\u0004', undefined, '\n'],
  ] as const) {
    test(title, async () => {
      const asked = ask()
      asked.keys.emit('data', key)
      assert.equal(await asked.answer, expected)
      assert.deepEqual([asked.shown.join(''), asked.modes, asked.keys.listenerCount('data')], [`Sure? ${shown}`, [true, false], 0])
    })
  }

  test('a question that has become moot is no, and gives the terminal back', async () => {
    const moot = new AbortController()
    const asked = ask(moot.signal)
    moot.abort()
    assert.equal(await asked.answer, false)
    assert.deepEqual(asked.modes, [true, false])
    assert.deepEqual(ask(AbortSignal.abort()).shown, [])
  })
})
