/** The data thread of a director. */
import { runDataThread } from '../loop/index.ts'
import type { Route } from '../owners/index.ts'
import type { ProxyRequest } from './core.ts'
import { DataThread } from './data-thread.ts'
import type { ThreadStart, ThreadStatus } from './thread-messages.ts'

runDataThread<ThreadStart, ThreadStatus, readonly Route[], ProxyRequest>(
  (start, voice) => new DataThread(start, { notice: notice => voice.notice(notice), proxy: request => voice.own(request) }),
)
