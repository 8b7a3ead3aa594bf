import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { EchoStart } from './echo-thread.ts'
import { ThreadHandle } from './index.ts'

interface Heard {
  readonly notices: string[]
  readonly own: string[]
  readonly failures: Error[]
}

function start(greeting: string): { thread: ThreadHandle<EchoStart, { readonly asked: number }, string, string>; heard: Heard } {
  const heard: Heard = { notices: [], own: [], failures: [] }
  const thread = new ThreadHandle<EchoStart, { readonly asked: number }, string, string>({
    module: new URL('./echo-thread.ts', import.meta.url),
    name: 'echo',
    start: { greeting },
    onNotice: notice => heard.notices.push(notice),
    onOwn: own => heard.own.push(own),
    onFailure: error => heard.failures.push(error),
  })
  return { thread, heard }
}

suite('a data thread', () => {
  test('says what it has to say, answers, and ends when told to', async () => {
    const { thread, heard } = start('hello')
    await thread.ready
    thread.ask('one')
    thread.ask('two')
    assert.deepEqual(await thread.status(), { asked: 2 })
    await thread.end()
    assert.deepEqual(heard, { notices: ['hello'], own: ['one', 'two'], failures: [] })
    await assert.rejects(thread.status(), { message: 'the thread echo has ended' })
  })

  test('that cannot begin says why, with its code', async () => {
    const { thread, heard } = start('')
    await assert.rejects(thread.ready, { message: 'no greeting', code: 'bad-greeting' })
    await thread.ended
    assert.deepEqual(heard.failures, [])
  })

  test('that fails at work: who waits for an answer hears why, so does who started it; then it can be told to end again', async () => {
    const { thread, heard } = start('hello')
    await thread.ready
    thread.ask('fail')
    await assert.rejects(thread.status(), { message: 'told to fail', code: 'told' })
    await thread.ended
    assert.deepEqual(
      heard.failures.map(({ message }) => message),
      ['told to fail'],
    )
    await thread.end()
  })
})
