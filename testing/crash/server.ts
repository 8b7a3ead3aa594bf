/**
 * The product, with a store in which it can be made to die: what `startServer` starts as its `entry`. Understands the command line of
 * `holdfast serve` as far as tests use it, and answers `Order`s of its parent process.
 */
import { parseArgs } from 'node:util'
import type { Store } from '@holdfast/cluster'
import { serve } from '../../packages/holdfast/src/commands/serve.ts'
import { resolveConfig } from '../../packages/holdfast/src/config/config.ts'
import { startNode } from '../../packages/holdfast/src/node/node.ts'
import { openNodeStore } from '../../packages/holdfast/src/node/open-store.ts'
import { StoreTrap, storeTrapVariable } from './store-trap.ts'
import type { Order, Report, StoreKill } from './store-trap.ts'

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    state: { type: 'string' },
    share: { type: 'string', multiple: true },
    user: { type: 'string', multiple: true },
    smb: { type: 'string', multiple: true },
    http: { type: 'string', multiple: true },
    workers: { type: 'string' },
  },
})
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
// Nobody is left to end it.
process.once('disconnect', () => process.exit(0))

const atOnce = process.env[storeTrapVariable]
const trap = new StoreTrap(atOnce === undefined ? undefined : (JSON.parse(atOnce) as StoreKill))
let store: Store | undefined

process.on('message', (order: Order) => {
  void answer(order).then(report => process.send?.(report))
})

async function answer({ kill }: Order): Promise<Report> {
  const transactions = trap.arm(kill)
  const { entries = [] } = (await store?.range({ prefix: 'h/' })) ?? {}
  return { transactions, records: entries.map(({ key }) => key) }
}

await serve(
  {
    out: process.stdout,
    err: process.stderr,
    environment: process.env,
    cwd: process.cwd(),
    terminal: false,
    columns: () => 80,
    connect: () => Promise.reject(new Error('this program only serves')),
    signal: stop.signal,
  },
  resolveConfig(values),
  {
    start: (config, resources) =>
      startNode(config, {
        ...resources,
        async openStore(path) {
          const opened = await openNodeStore(path)
          store = opened
          return { connect: () => trap.between(opened.connect()), [Symbol.asyncDispose]: () => opened.close() }
        },
      }),
  },
)
process.exit(0)
