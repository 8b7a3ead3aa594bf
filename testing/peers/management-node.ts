/**
 * The management API alone, of a node that only seems to do what it is asked for, and takes as long as it is told to: what `startServer` starts as
 * its `entry`. Understands the words of `holdfast serve` that `startServer` says.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sqliteStore } from '@holdfast/cluster'
import { ConnectionManager } from '@holdfast/engine'
import { httpFraming } from '@holdfast/management'
import { openStateFolder } from '../../packages/holdfast/src/state/folder.ts'
import { openKeyFile } from '../../packages/holdfast/src/state/key-file.ts'
import type { FakeNodeConfig } from './management-worker.ts'

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    state: { type: 'string', default: '' },
    smb: { type: 'string', multiple: true },
    user: { type: 'string', multiple: true },
    http: { type: 'string', default: '' },
    workers: { type: 'string', default: '2' },
    limits: { type: 'string', default: '{}' },
    connections: { type: 'string', default: '16384' },
  },
})
openStateFolder(values.state)
openKeyFile(join(values.state, 'key'))
const store = await sqliteStore({ path: join(values.state, 'store.sqlite') })
const connections = Number(values.connections)
const manager = await ConnectionManager.start({
  workers: Number(values.workers),
  workerModule: new URL('./management-worker.ts', import.meta.url),
  services: { management: () => store.connect() },
  config: {
    stateDir: values.state,
    metrics: 'login',
    limits: { engine: {}, smb: {}, management: JSON.parse(values.limits) as object },
  } satisfies FakeNodeConfig,
  limits: { connections, connectionsPerAddress: connections },
  onLog: (level, message, fields) => console.error(level, message, JSON.stringify(fields)),
})
const options = { framing: httpFraming, distributed: false } as const
// One that was killed leaves it there.
const path = join(values.state, 'control.sock')
rmSync(path, { force: true })
await manager.listen({ ...options, protocol: 'local', path })
const { host, port } = await manager.listen({ ...options, protocol: 'http', host: '127.0.0.1', port: Number(values.http.split(':').at(-1)) })
console.log(`ready pid=${process.pid} http=${host}:${port}`)
process.on('message', order => {
  if (order === 'kill worker') manager.killWorker(0)
  process.send?.('done')
})
process.once('SIGTERM', () => {
  void manager
    .close()
    .then(() => store[Symbol.asyncDispose]())
    .then(() => process.exit(0))
})
