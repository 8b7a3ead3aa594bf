/** The node as its API knows it: what is asked of shares, users, volumes, sessions and opens, by the words of the API. */

import { overview } from '@holdfast/management'
import type { Accounts, Action, ActionContext, Actions, ManagedNode, OperationKind, Queries, ResultOf } from '@holdfast/management'
import type { MetricSample } from '@holdfast/engine'
import type { OpenService } from '../sessions/open-service.ts'
import type { SessionService } from '../sessions/service.ts'
import type { ShareService } from '../shares/service.ts'
import type { UserService } from '../users/service.ts'
import type { VolumeContent } from '../volumes/content.ts'
import type { VolumeService } from '../volumes/service.ts'
import { withSuccessor } from '../node/tell-workers.ts'
import { pageOf } from '../resources/page.ts'
import { orDone } from './again.ts'
import { volumeActions, volumeResult } from './volume-actions.ts'

/** What a node has that can be managed. */
export interface ManagedParts {
  readonly shares: ShareService
  readonly users: UserService
  readonly sessions: SessionService
  readonly opens: OpenService
  readonly volumes: VolumeService
  readonly content: VolumeContent
  /** What `/v1/node` says. */
  about(): Promise<ResultOf<'node'>>
  metrics(): Promise<readonly MetricSample[]>
}

/** For `openManagementCore`. */
export const managedNode = (parts: ManagedParts): ManagedNode => ({
  accounts: accountsOf(parts),
  queries: lastingQueries(queriesOf(parts)),
  actions: lastingActions(actionsOf(parts)),
})

/** A worker that dies of something else is no reason to ask again, nor to fail: its successor does it. */
const lastingQueries = (queries: Queries): Queries =>
  mapped(queries, query => (asked: never) => withSuccessor(() => (query as (asked: never) => Promise<unknown>)(asked)))

const lastingActions = (actions: Actions): Actions => mapped(actions, action => lasting(action as unknown as Action<OperationKind>))

function lasting(action: Action<OperationKind>): Action<OperationKind> {
  const again = (context: ActionContext, isAgain: boolean): ActionContext => ({ ...context, again: context.again || isAgain })
  const { run, undo } = action
  return {
    ...action,
    run: (asked, context) => withSuccessor(isAgain => run(asked, again(context, isAgain))),
    ...(undo && { undo: (asked, context) => withSuccessor(isAgain => undo(asked, again(context, isAgain))) }),
  }
}

/** The same table of other functions; that each is of its own kind is in nobody's types. */
const mapped = <Table extends object>(table: Table, change: (value: Table[keyof Table]) => unknown): Table =>
  Object.fromEntries(Object.entries(table).map(([id, value]) => [id, change(value as Table[keyof Table])])) as Table

const accountsOf = ({ users }: ManagedParts): Accounts => ({
  verify: login => users.verify(login),
  find: user => users.find(user),
})

const byName = ({ name }: { readonly name: string }): string => name
const pageResult = <Item, Result>(page: { readonly items: readonly Item[]; readonly next: string | null }, resultOf: (item: Item) => Result) => ({
  items: page.items.map(resultOf),
  next: page.next,
})
const copyOf = <T extends object>(value: T): { -readonly [Key in keyof T]: T[Key] } => ({ ...value })
const withOptions = <T extends { readonly options: readonly string[] }>(value: T) => ({ ...value, options: [...value.options] })
const withUses = <T extends { readonly uses: readonly string[] }>(value: T) => ({ ...value, uses: [...value.uses] })

function queriesOf({ shares, users, sessions, opens, volumes, content, about, metrics }: ManagedParts): Queries {
  return {
    'volume.list': async ({ query }) => pageResult(pageOf(await volumes.list(), byName, query), volumeResult),
    'volume.show': async ({ parameters }) => volumeResult(await volumes.get(parameters.name)),
    'volume.map': ({ parameters }) => content.map(parameters.name),
    'snapshot.list': async ({ parameters, query }) => pageResult(pageOf((await volumes.get(parameters.name)).snapshots, byName, query), copyOf),
    'share.list': async ({ query }) => pageResult(await shares.list(query), withOptions),
    'share.show': async ({ parameters }) => withOptions(await shares.get(parameters.name)),
    'user.list': async ({ query }) => pageResult(await users.list(query), copyOf),
    'user.show': async ({ parameters }) => copyOf(await users.get(parameters.name)),
    'session.list': async ({ query }) => pageResult(await sessions.list(query), withUses),
    'session.show': async ({ parameters }) => withUses(await sessions.get(parameters.id)),
    'open.list': async ({ query }) => pageResult(await opens.list(query), copyOf),
    overview: overviewOf(metrics),
    node: about,
  }
}

/** Latencies are of what was answered since somebody asked before. */
function overviewOf(metrics: ManagedParts['metrics']): Queries['overview'] {
  let before: readonly MetricSample[] | undefined
  return async () => {
    const samples = await metrics()
    const view = overview(samples, { atMs: Date.now(), before })
    before = samples
    return view
  }
}

function actionsOf({ shares, users, sessions, opens, volumes, content }: ManagedParts): Actions {
  return {
    ...volumeActions({ service: volumes, content }),
    'share.create': {
      check: ({ body }) => shares.check(body),
      run: async ({ body }, { again }) => withOptions(await shares.create(body, { again })),
    },
    'share.change': {
      check: ({ body }) => shares.check(body),
      run: async ({ parameters, body }) => withOptions(await shares.change(parameters.name, body)),
    },
    'share.delete': {
      run: ({ parameters }, { again }) => nothing(shares.delete(parameters.name, { again })),
    },
    'user.create': {
      check: ({ body }) => users.check(body),
      run: async ({ body }, { again }) => copyOf(await users.create(body, { again })),
    },
    'user.change': {
      check: ({ body }) => users.check(body),
      run: async ({ parameters, body }) => copyOf(await users.change(parameters.name, body)),
    },
    'user.delete': {
      run: ({ parameters }, { again }) => nothing(users.delete(parameters.name, { again })),
    },
    'session.disconnect': {
      run: ({ parameters }, { again }) => nothing(orDone(sessions.disconnect(parameters.id), again && 'UNKNOWN_SESSION')),
    },
    'open.close': {
      run: ({ parameters }, { again }) => nothing(orDone(opens.close(parameters.id), again && 'UNKNOWN_OPEN')),
    },
  }
}

const nothing = (action: Promise<unknown>): Promise<null> => action.then(() => null)
