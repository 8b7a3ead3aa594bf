/** The data thread of a director. It ends when it is told to, or when something fails that must not. */
import { workerData } from 'node:worker_threads'
import { DataThread } from './data-thread.ts'
import type { FromThread, ThreadStart, ToThread } from './thread-messages.ts'

function run(start: ThreadStart, say: (message: FromThread) => void): void {
  using thread = new DataThread(start, {
    notice: notice => say({ say: 'notice', notice }),
    proxy: request => say({ say: 'proxy', request }),
  })
  const { loop } = thread
  loop.onMessage(start.port, message => {
    const asked = message as ToThread
    if (asked.ask === 'status') say({ say: 'status', id: asked.id, status: thread.status() })
    else if (asked.ask === 'routes') thread.replaceRoutes(asked.routes)
    else thread.end()
  })
  say({ say: 'ready', wakeDescriptor: loop.wakeDescriptor })
  loop.run()
}

const start = workerData as ThreadStart
const say = (message: FromThread): void => start.port.postMessage(message)
try {
  run(start, say)
} catch (error) {
  const failure = error as Error & { readonly code?: unknown }
  const code = typeof failure.code === 'string' ? failure.code : undefined
  say({ say: 'failed', error: failure, code })
} finally {
  start.port.close()
}
