/** A worker of `management-node.ts`: the management API of a node that only seems to do what it is asked for. */
import { setTimeout as sleep } from 'node:timers/promises'
import { runWorker } from '@holdfast/engine/worker'
import type { WorkerNode } from '@holdfast/engine'
import { httpFraming, ManagementError } from '@holdfast/management'
import type { Account, Action, ActionContext, Actions, ManagedNode, OperationKind, QueryId } from '@holdfast/management'
import type { ConfiguredLimits } from '../../packages/holdfast/src/config/limits.ts'
import { openManagementOnWorker } from '../../packages/holdfast/src/node/management-protocol.ts'

/** What the node is told at its start. */
export interface FakeNodeConfig {
  readonly stateDir: string
  readonly metrics: 'login' | 'open'
  readonly limits: ConfiguredLimits
}

const people: readonly (Account & { readonly password: string })[] = [
  { name: 'alice', role: 'admin', password: 'Correct-Horse-1' },
  { name: 'vera', role: 'viewer', password: 'Watches-Only-2' },
  { name: 'carl', role: 'user', password: 'Stores-Only-3' },
]
const at = '2026-11-21T12:00:00.000Z'
const volumeOf = (name: string) => ({ name, id: `id-${name}`, target: `iqn:${name}`, sizeBytes: 1, options: [], createdAt: at, snapshots: [] })
const unknown = (what: string) => () => Promise.reject(new ManagementError(`UNKNOWN_${what.toUpperCase()}`, `there is no such ${what}`))
const empty = () => Promise.resolve({ items: [], next: null })

const queries = {
  'volume.list': empty,
  'volume.show': unknown('volume'),
  'volume.map': unknown('volume'),
  'snapshot.list': unknown('volume'),
  'share.list': empty,
  'share.show': unknown('share'),
  'user.list': empty,
  'user.show': unknown('user'),
  'session.list': empty,
  'session.show': unknown('session'),
  'open.list': empty,
  overview: unknown('overview'),
  node: () => Promise.resolve({ name: 'FAKE', version: '0', startedAt: at, workers: 1, listeners: [] }),
} satisfies Record<QueryId, () => Promise<unknown>>

/** The time that is asked for by an option such as `ms=500`, in steps, of which the last is kept over a crash. */
async function take(options: readonly string[] = [], { checkpoint, signal, progress }: ActionContext): Promise<void> {
  const ms = Number(options.find(option => option.startsWith('ms='))?.slice(3) ?? 0)
  const steps = 20
  for (let step = typeof checkpoint === 'number' ? checkpoint : 0; step < steps && ms > 0; step++) {
    progress({ percent: (100 * step) / steps, note: `step ${step}`, checkpoint: step })
    await sleep(ms / steps)
    signal.throwIfAborted()
  }
}

const create: Action<'volume.create'> = {
  check({ body }) {
    if (body.name === 'taken') throw new ManagementError('VOLUME_EXISTS', 'there is a volume "taken" already')
  },
  async run({ body }, context) {
    await take(body.options, context)
    if (body.name === 'full') throw new ManagementError('NO_SPACE', 'no space left')
    return volumeOf(body.name)
  },
  undo: () => Promise.resolve(),
}
const instant = { run: () => Promise.resolve(null), undo: () => Promise.resolve() }
const kinds =
  'volume.change volume.delete snapshot.create snapshot.delete share.create share.change share.delete user.create user.change user.delete session.disconnect open.close'
const actions = {
  ...Object.fromEntries(kinds.split(' ').map(kind => [kind, instant])),
  'volume.create': create,
} as Partial<Record<OperationKind, unknown>> as Actions // of kinds that nothing asks a result of

const managed: ManagedNode = {
  accounts: {
    verify: ({ user, password }) => Promise.resolve(people.find(({ name, password: own }) => name === user && own === password)),
    find: user => Promise.resolve(people.find(({ name }) => name === user)),
  },
  queries,
  actions,
}

// Both protocols are of one API.
let opened: ReturnType<typeof openManagementOnWorker> | undefined
const open = (node: WorkerNode, config: FakeNodeConfig) => (opened ??= openManagementOnWorker({ node, config, managed, troubles: () => [] }))
await runWorker({
  http: {
    framing: httpFraming,
    async create(node, config: FakeNodeConfig) {
      const { http, close } = await open(node, config)
      return { ...http, close }
    },
  },
  local: { framing: httpFraming, create: async (node, config: FakeNodeConfig) => (await open(node, config)).local },
})
