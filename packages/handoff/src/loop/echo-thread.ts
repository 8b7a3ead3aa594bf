/** A data thread for tests: it notes at once that it is there, says back what it is asked, and fails when it is told to. */
import { Loop, runDataThread } from './index.ts'
import type { ThreadStart } from './index.ts'

/** What it begins with. */
export interface EchoStart extends ThreadStart {
  readonly greeting: string
}

runDataThread<EchoStart, { readonly asked: number }, string, string>((start, voice) => {
  if (start.greeting === '') throw Object.assign(new Error('no greeting'), { code: 'bad-greeting' })
  const loop = new Loop()
  voice.notice(start.greeting)
  let count = 0
  return {
    loop,
    status: () => ({ asked: count }),
    end: () => loop.stop(),
    asked: word => {
      count++
      if (word === 'fail') throw Object.assign(new Error('told to fail'), { code: 'told' })
      voice.own(word)
    },
    [Symbol.dispose]: () => loop[Symbol.dispose](),
  }
})
