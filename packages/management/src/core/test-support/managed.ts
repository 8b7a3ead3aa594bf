/** A node to manage whose actions do what a test says, when it says. */

import type { Asked, OperationKind } from '../../api/routes.ts'
import type { Account, ActionContext, ManagedNode } from '../../operations/actions.ts'
import type { AnyAction } from '../../operations/live.ts'
import type { AnyAsked } from '../../operations/targets.ts'

/** An action under way. */
export interface Run {
  readonly kind: string
  readonly name: string
  readonly what: 'run' | 'undo'
  readonly asked: AnyAsked
  readonly context: ActionContext
  readonly outcome: Promise<unknown>
  readonly done: (result?: unknown) => void
  readonly fail: (error: Error) => void
}

const nameOf = ({ parameters, body }: AnyAsked): string => parameters['name'] ?? (body as { readonly name?: string } | undefined)?.name ?? ''

/** Kinds that cannot be undone here. */
const withoutUndo: readonly string[] = ['volume.delete']

/** See the top of the file. */
export class TestNode {
  readonly accounts = new Map<string, Account>([
    ['alice', { name: 'alice', role: 'admin' }],
    ['victor', { name: 'victor', role: 'viewer' }],
    ['ulla', { name: 'ulla', role: 'user' }],
  ])
  /** Under way, in the order in which they began. */
  readonly runs: Run[] = []
  /** What `check` throws, by the name of what is asked for. */
  readonly refusals = new Map<string, Error>()
  /** Hears of each run when it begins. */
  onRun: (run: Run) => void = () => {}
  /** Actions that don't stop when they are told to. */
  isDeaf = false
  /** Actions end by themselves, with this result. */
  result: ((run: Run) => unknown) | undefined

  readonly managed: ManagedNode = {
    accounts: {
      verify: async ({ user, password }) => (password === 'secret' ? this.accounts.get(user) : undefined),
      find: async user => this.accounts.get(user),
    },
    queries: {} as ManagedNode['queries'], // not asked for by the core
    actions: new Proxy({} as ManagedNode['actions'], { get: (_, kind) => this.#action(kind as OperationKind) }), // every kind has one
  }

  /** The run of that name. */
  run(name: string): Run {
    const run = this.runs.find(run => run.name === name)
    if (run === undefined) throw new Error(`${name} does not run; ${this.names.join(', ')} do`)
    return run
  }

  get names(): string[] {
    return this.runs.map(({ name }) => name)
  }

  #action(kind: OperationKind): AnyAction {
    const begin = (what: Run['what'], asked: AnyAsked, context: ActionContext): Promise<unknown> =>
      this.#begin({ kind, name: nameOf(asked), what, asked, context })
    return {
      check: asked => {
        const refusal = this.refusals.get(nameOf(asked))
        if (refusal !== undefined) throw refusal
      },
      run: (asked, context) => begin('run', asked, context),
      ...(!withoutUndo.includes(kind) && {
        undo: async (asked: AnyAsked, context: ActionContext) => {
          await begin('undo', asked, context)
        },
      }),
    }
  }

  #begin(about: Omit<Run, 'done' | 'fail' | 'outcome'>): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const run: Run = { ...about, outcome: promise, done: resolve, fail: reject }
    this.runs.push(run)
    this.onRun(run)
    const { signal } = about.context
    const stop = (): void => reject(signal.reason as Error)
    if (signal.aborted) stop()
    else if (!this.isDeaf) signal.addEventListener('abort', stop)
    const { result } = this
    if (result !== undefined) queueMicrotask(() => resolve(result(run)))
    return promise.finally(() => void this.runs.splice(this.runs.indexOf(run), 1))
  }
}

/** A request to make a volume. */
export const volumeCreate = (name: string): Asked<'volume.create'> => ({
  parameters: {},
  query: undefined,
  body: { name, size: '1GiB' },
})
/** A request about a volume. */
export const volumeNamed = (name: string): Asked<'volume.delete'> => ({
  parameters: { name },
  query: undefined,
  body: undefined,
})
/** Where requests come from. */
export const origin = { address: '192.0.2.1' } as const
