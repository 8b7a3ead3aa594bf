/** Asks cases side by side: the server's process ends once for all of them. */
import type { Asked } from './case.ts'
import { ask } from './scene.ts'
import type { Target } from './target.ts'

/** Every failover waits until each case wants one as well, or has ended. Returns the answers by names. */
export function askTogether(all: readonly Asked[], target: Target): ReadonlyMap<string, Promise<string>> {
  let running = all.length
  let waiting: PromiseWithResolvers<void>[] = []
  const goOn = (): void => {
    if (waiting.length === 0 || waiting.length < running) return
    const these = waiting
    waiting = []
    void target.failOver().then(
      () => these.forEach(({ resolve }) => resolve()),
      (error: unknown) => these.forEach(({ reject }) => reject(error)),
    )
  }
  const shared: Target = {
    ...target,
    async failOver() {
      const turn = Promise.withResolvers<void>()
      waiting.push(turn)
      goOn()
      return turn.promise
    },
  }
  return new Map(
    all.map(({ one, share, name }) => {
      const answer = ask(one, share, shared).finally(() => {
        running--
        goOn()
      })
      // Its test tells.
      answer.catch(() => undefined)
      return [name, answer]
    }),
  )
}
