/** A director or server agent in its process, from the ready line to its last breath. */

import type { MetricSample } from '@holdfast/engine'
import { saveCompileCache } from '../compile-cache.ts'
import type { CommandContext } from '../commands/context.ts'
import { createLogger, type Logger } from '../log.ts'
import { demandAlone, serveStatus } from './control.ts'
import { serveMetrics } from './metrics-server.ts'
import type { CommonSettings } from './options.ts'

/** What runs. */
export interface Running {
  /** What comes after `ready pid=…`. */
  readonly words: Readonly<Record<string, string>>
  status(): Promise<object>
  samples(): Promise<readonly MetricSample[]>
  close(): Promise<void>
}

/** Told by what runs. */
export interface RunHooks {
  readonly log: Logger
  readonly onNotice: (notice: string) => void
  readonly onFailure: (error: Error) => void
}

/** From SIGTERM to exit 0: what does not end by itself is left behind before the 10 s that are promised. */
const shutdownMsMax = 9000

/** Runs until `context.signal` aborts. What is handed over goes on when it is pinned, whoever ends. */
export async function run(context: CommandContext, settings: CommonSettings, start: (hooks: RunHooks) => Promise<Running>): Promise<void> {
  await demandAlone(settings.control)
  const format = settings.logFormat ?? (context.terminal ? 'pretty' : 'json')
  const log = createLogger({ level: settings.logLevel, format, colour: context.terminal, write: line => void context.err.write(line) })
  const end = Promise.withResolvers<void>()
  if (context.signal.aborted) end.resolve()
  context.signal.addEventListener('abort', () => end.resolve(), { once: true })
  const running = await start({ log, onNotice: notice => log.warn(notice), onFailure: error => end.reject(error) })
  const served = await serveAll(settings, running).catch(async (error: unknown) => {
    await running.close()
    throw error
  })
  context.out.write(`${readyLine(running.words)}\n`)
  log.info(running.words, 'ready')
  saveCompileCache()
  try {
    await end.promise
  } finally {
    log.info('stopping')
    await stop(async () => {
      await served[Symbol.asyncDispose]()
      await running.close()
    }, log)
  }
}

const readyLine = (words: Readonly<Record<string, string>>): string =>
  [`ready pid=${process.pid}`, ...Object.entries(words).map(([key, value]) => `${key}=${value}`)].join(' ')

async function serveAll({ control, metrics }: CommonSettings, running: Running): Promise<AsyncDisposable> {
  const startedAt = new Date().toISOString()
  await using stack = new AsyncDisposableStack()
  stack.use(await serveStatus(control, async () => ({ role: control.role, pid: process.pid, startedAt, ...(await running.status()) })))
  if (metrics !== undefined) stack.use(await serveMetrics(metrics, () => running.samples()))
  return stack.move()
}

async function stop(close: () => Promise<void>, log: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>(resolve => {
    timer = setTimeout(() => resolve('late'), shutdownMsMax)
  })
  const outcome = await Promise.race([close(), late])
  clearTimeout(timer)
  if (outcome === 'late') log.warn(`not everything had ended after ${shutdownMsMax / 1000} s`)
  else log.info('stopped')
}
