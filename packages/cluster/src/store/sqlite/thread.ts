/** The thread that owns a store's database. */
import { parentPort, workerData } from 'node:worker_threads'
import { systemTimers } from '../../time.ts'
import { StoreCore } from '../core.ts'
import type { HistoryOptions } from '../store.ts'
import { Batches } from './batches.ts'
import { openDatabase } from './database.ts'
import type { DatabaseOptions } from './database.ts'
import { storeErrorOf } from './database-errors.ts'
import { posted } from './messages.ts'
import type { Control, Opened } from './messages.ts'
import { StoreService } from './service.ts'
import { SqliteState } from './sqlite-state.ts'

/** What the thread is started with. */
export type ThreadOptions = DatabaseOptions & { readonly history: HistoryOptions | undefined }

function serve(options: ThreadOptions): { connect: StoreService['connect']; close: () => void } {
  const database = openDatabase(options)
  const state = new SqliteState(database, { wallClock: () => Date.now(), history: options.history })
  const clock = (): number => performance.now()
  const core = new StoreCore(state, { clock, timers: systemTimers, onExpired: leases => service.expire(leases) })
  const service: StoreService = new StoreService(core, new Batches({ database, state, core }))
  const close = (): void => {
    service.close()
    database.close()
  }
  return { connect: port => service.connect(port), close }
}

function start(options: ThreadOptions): void {
  const say = (opened: Opened): void => parentPort?.postMessage(opened)
  try {
    const service = serve(options)
    parentPort?.on('message', (control: Control) => {
      if (control.type === 'connect') return service.connect(control.port)
      service.close()
      parentPort?.close()
    })
    say({ type: 'open' })
  } catch (error) {
    say({ type: 'failed', error: posted(storeErrorOf(error)) })
  }
}

start(workerData as ThreadOptions) // given by `sqliteStore`
