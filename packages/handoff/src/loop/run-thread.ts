import { workerData } from 'node:worker_threads'
import type { Loop } from './loop.ts'
import type { FromThread, ThreadStart, ToThread } from './thread-messages.ts'

/** What a data thread can say while it works. */
export interface ThreadVoice<Own = never> {
  notice(notice: string): void
  own(own: Own): void
}

/** What a data thread does. */
export interface ThreadWork<Status, Asked = never> extends Disposable {
  readonly loop: Loop
  status(): Status
  /** It shall end by itself, soon: it stops the loop. */
  end(): void
  /** What only this kind of thread is asked. */
  asked?(asked: Asked): void
}

/**
 * The body of a data thread's module, the other end of `ThreadHandle`: begins the work, and runs its loop until it is told to end, or until something fails that
 * must not.
 */
export function runDataThread<Start extends ThreadStart, Status, Asked = never, Own = never>(
  begin: (start: Start, voice: ThreadVoice<Own>) => ThreadWork<Status, Asked>,
): void {
  const start = workerData as Start // given by `ThreadHandle`
  const say = (message: FromThread<Status, Own>): void => start.port.postMessage(message)
  try {
    using work = begin(start, { notice: notice => say({ say: 'notice', notice }), own: own => say({ say: 'own', own }) })
    work.loop.onMessage(start.port, message => {
      const asked = message as ToThread<Asked>
      if (asked.ask === 'status') say({ say: 'status', id: asked.id, status: work.status() })
      else if (asked.ask === 'own') work.asked?.(asked.own)
      else work.end()
    })
    say({ say: 'ready', wakeDescriptor: work.loop.wakeDescriptor })
    work.loop.run()
  } catch (error) {
    const failure = error as Error & { readonly code?: unknown }
    const code = typeof failure.code === 'string' ? failure.code : undefined
    say({ say: 'failed', error: failure, code })
  } finally {
    start.port.close()
  }
}
