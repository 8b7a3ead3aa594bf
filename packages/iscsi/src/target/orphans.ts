/** Tasks whose connection has failed, at error recovery level 2: they go on, and wait for a connection to be assigned to (RFC 7143 7.2.2, 7.1.4.4). */
import type { TargetDevice, TaskResult } from '../scsi/index.ts'
import type { RetainedPdu, Retention } from './retention.ts'
import type { Session } from './session.ts'
import type { IscsiTask, TaskConnection } from './task.ts'

/** What a failed connection has left. */
export class Orphans implements TaskConnection {
  readonly sendsFiles = false
  readonly #session: Session
  readonly #device: TargetDevice
  readonly #retention: Retention | undefined
  readonly #results = new Map<IscsiTask, TaskResult>()

  constructor(of: { session: Session; device: TargetDevice; retention: Retention | undefined; tasks: Iterable<IscsiTask> }) {
    this.#session = of.session
    this.#device = of.device
    this.#retention = of.retention
    for (const task of of.tasks) task.connection = this
  }

  /** There is no connection whose memory it could be. */
  dataIn(task: IscsiTask, lengthBytes: number): readonly Buffer[] {
    task.payloads = [Buffer.allocUnsafe(lengthBytes)]
    return task.payloads
  }

  finish(task: IscsiTask, result: TaskResult): void {
    if (task.isAborted) this.#end(task)
    else this.#results.set(task, result)
  }

  async abort(task: IscsiTask): Promise<void> {
    task.isAborted = true
    if (task.running === undefined || this.#results.delete(task)) this.#end(task)
    else await this.#device.unitOf(task.lun)?.abortTask(task)
    await task.running
  }

  #end(task: IscsiTask): void {
    this.#session.end(task)
    task.release()
  }

  /** The result of a task that has ended meanwhile. */
  takeResult(task: IscsiTask): TaskResult | undefined {
    const result = this.#results.get(task)
    this.#results.delete(task)
    return result
  }

  /** What had been sent in answer to a task and was not acknowledged. */
  response(tag: number, firstData: number): readonly RetainedPdu[] | undefined {
    return this.#retention?.response(tag, firstData)
  }

  /** Nobody has come for them in time. */
  async abandon(): Promise<void> {
    const left = [...this.#session.tasks.values()].filter(task => task.connection === this)
    await Promise.all(left.map(task => this.abort(task)))
  }
}
