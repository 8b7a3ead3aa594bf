/** Has conversations for a test, on the machine it runs on: asked by IPC (`Program.ask`). */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { Conversation, Heard, Outcome, Step } from './conversation.ts'
import { ResponseReader } from './response-reader.ts'

const timeoutMsDefault = 10_000

async function converse({ host, port, localPort, steps, untilEnd = false, timeoutMs = timeoutMsDefault }: Conversation): Promise<Outcome> {
  const begin = performance.now()
  const nowMs = (): number => performance.now() - begin
  const heard: Heard[] = []
  let changed = Promise.withResolvers<void>()
  const tell = (): void => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  let [ended, endedMs, isOver] = ['', 0, false]
  const reader = new ResponseReader(one => {
    heard.push(one)
    tell()
  }, nowMs)
  const over = (how: string): void => {
    if (isOver) return
    ;[ended, endedMs, isOver] = [how, nowMs(), true]
    reader.end()
    tell()
  }
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true, ...(localPort !== undefined && { localPort }) })
  socket.on('data', bytes => reader.take(bytes as Buffer)) // no encoding is set
  socket.on('end', () => over('fin'))
  socket.on('error', error => over((error as NodeJS.ErrnoException).code ?? error.message))
  socket.on('close', () => over('closed'))
  await new Promise<void>(resolve => socket.once('connect', resolve).once('error', () => resolve()))
  const own = socket.localPort ?? 0
  const timer = setTimeout(() => over('timeout'), timeoutMs)
  const until = async (isDone: () => boolean): Promise<void> => {
    while (!isDone() && !isOver) await changed.promise
  }
  for (const step of steps) {
    if (isOver) break
    await take(step, socket, until, heard)
  }
  if (untilEnd) await until(() => false)
  clearTimeout(timer)
  socket.destroy()
  return { heard, localPort: own, ended, endedMs }
}

async function take(step: Step, socket: Socket, until: (isDone: () => boolean) => Promise<void>, heard: readonly Heard[]): Promise<void> {
  const { send, zeros, responses, waitMs, end } = step
  if (send !== undefined) socket.write(send, 'latin1')
  if (zeros !== undefined) socket.write(Buffer.alloc(zeros))
  if (responses !== undefined) await until(() => heard.length >= responses)
  if (waitMs !== undefined) await new Promise(resolve => setTimeout(resolve, waitMs))
  if (end === 'fin') socket.end()
  if (end === 'reset') socket.resetAndDestroy()
}

process.on('message', ({ id, what }: { id: number; what: Conversation }) => {
  converse(what).then(
    value => process.send?.({ id, value }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  )
})
console.log('up')
