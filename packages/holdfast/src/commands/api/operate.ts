/** Operations as commands: begun, watched, cancelled, and told of at the end. */

import type { ApiClient, Asking, ConnectionState, OperationKind, OperationNews, OperationOptions, Receipt, ResultOf } from '@holdfast/api-client'
import { ApiError } from '@holdfast/api-client/node'
import { CommandError, type CommandContext, writeAll, writeJson } from '../context.ts'
import { type OperationDisplay, operationDisplay } from './progress.ts'
import { type ApiOptions, isAway, withApi } from './session.ts'

export interface OperateOptions extends ApiOptions {
  /** False: ends with the receipt. */
  readonly wait?: boolean
}

/** Asks a node for an operation and waits until it has ended. */
export interface Operator {
  readonly api: ApiClient
  /** Resolves to the result; undefined where nobody waits for it, and the receipt has been told. */
  run<Id extends OperationKind>(id: Id, ...asked: Asking<Id>): Promise<ResultOf<Id> | undefined>
  /** The same for an operation that runs already. */
  follow(operation: string): Promise<OperationNews | undefined>
}

/** How later commands reach the same node. */
const whereText = ({ server, stateDir }: ApiOptions): string => (server === undefined ? ` --state ${stateDir}` : ` --server ${server}`)

/** Runs `action` with whoever carries out operations. */
export async function withOperator<T>(context: CommandContext, options: OperateOptions, action: (operator: Operator) => Promise<T>): Promise<T> {
  const write = (text: string): void => void context.err.write(text)
  const displays = new Set<OperationDisplay>()
  const show = (): OperationDisplay => {
    const display = operationDisplay({ write, columns: context.terminal ? context.columns : undefined })
    displays.add(display)
    return display
  }
  const onConnection = (state: ConnectionState, error?: Error): void => {
    for (const display of displays) display.connection(isAway(state, error))
  }
  const attend = async <T>(
    api: ApiClient,
    start: (options: OperationOptions & { readonly wait?: true }) => Promise<T>,
    canCancel: boolean,
  ): Promise<T> => {
    using display = show()
    using attention = new Attention({ context, api, display, canCancel, follow: id => `holdfast operation show ${id} --follow${whereText(options)}` })
    try {
      return await start(attention.options)
    } finally {
      displays.delete(display)
      if (attention.last?.recovery !== undefined)
        write(`the node ended meanwhile and was started again: the operation was ${attention.last.recovery}\n`)
    }
  }
  return withApi(
    context,
    options,
    api =>
      action({
        api,
        async run(id, ...asked) {
          // Each id has its own parameters; the table of the API puts them in order.
          const call = api.call.bind(api) as (id: string, ...asked: readonly unknown[]) => Promise<unknown>
          if (options.wait !== false) return (await attend(api, given => call(id, ...asked, given), true)) as ResultOf<typeof id>
          await tellReceipt(context, options, (await call(id, ...asked, { wait: false, signal: context.signal })) as Receipt)
          return undefined
        },
        async follow(operation) {
          let last: OperationNews | undefined
          const onProgress = (news: OperationNews) => (last = news)
          const outcome = attend(
            api,
            given => api.wait(operation, { ...given, onProgress: news => (onProgress(news), given.onProgress?.(news)) }),
            false,
          )
          // How it ended is what is shown, whatever it is.
          await outcome.catch((error: unknown) => {
            if (last === undefined || !(error instanceof ApiError)) throw error
          })
          return last
        },
      }),
    { onConnection },
  )
}

async function tellReceipt(context: CommandContext, options: OperateOptions, receipt: Receipt): Promise<void> {
  if (options.json) return writeJson(context.out, receipt)
  const { operation } = receipt
  await writeAll(context.out, `operation ${operation} received; follow it: holdfast operation show ${operation} --follow${whereText(options)}\n`)
}

const beforeReceipt = 'interrupted before the node had answered; "holdfast operation list" tells whether it has begun'

interface AttentionOptions {
  readonly context: CommandContext
  readonly api: ApiClient
  readonly display: OperationDisplay
  readonly canCancel: boolean
  /** The command that follows an operation. */
  readonly follow: (operation: string) => string
}

/** Attends to one operation: shows its news, and asks at Ctrl-C what shall become of it. */
class Attention implements Disposable {
  readonly options: OperationOptions & { readonly wait?: true }
  last: OperationNews | undefined
  readonly #given: AttentionOptions
  readonly #stop = new AbortController()
  readonly #over = new AbortController()
  readonly #interrupts: Disposable | undefined
  readonly #onSignal = (): void => this.#leave()
  #operation: string | undefined

  constructor(given: AttentionOptions) {
    this.#given = given
    const { context, display } = given
    this.options = {
      signal: this.#stop.signal,
      onReceipt: ({ operation }) => {
        this.#operation = operation
      },
      onProgress: news => {
        this.last = news
        this.#operation = news.operation
        display.update(news)
      },
    }
    context.signal.addEventListener('abort', this.#onSignal, { once: true })
    this.#interrupts = context.interrupts?.take(() => void this.#interrupted())
  }

  [Symbol.dispose](): void {
    this.#over.abort()
    this.#interrupts?.[Symbol.dispose]()
    this.#given.context.signal.removeEventListener('abort', this.#onSignal)
  }

  async #interrupted(): Promise<void> {
    const { context, display, canCancel } = this.#given
    const operation = this.#operation
    if (!canCancel || operation === undefined || context.confirm === undefined) return this.#leave()
    display.pause()
    const answer = await context.confirm(`Cancel operation ${operation}? [y/N, Ctrl-C: leave it running] `, this.#over.signal)
    if (this.#over.signal.aborted) return
    if (answer === undefined) return this.#leave()
    if (answer) await this.#cancel(operation)
    display.resume()
  }

  /** It ends when what it has done is undone; that is waited for. */
  async #cancel(operation: string): Promise<void> {
    try {
      await this.#given.api.operations.cancel(operation)
    } catch (error) {
      if (error instanceof ApiError && error.code === 'OPERATION_ENDED') return
      this.#given.context.err.write(`it goes on: ${error instanceof Error ? error.message : String(error)}\n`)
    }
  }

  #leave(): void {
    const operation = this.#operation
    const text = operation === undefined ? beforeReceipt : `operation ${operation} goes on; follow it: ${this.#given.follow(operation)}`
    this.#stop.abort(new CommandError(text, 'LEFT_RUNNING'))
  }
}
