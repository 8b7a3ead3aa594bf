import { iscsiInitiatorSuite } from './iscsi-initiator-suite.ts'
import type { Target } from './iscsi-initiator-target.ts'
import { missing } from './packages.ts'
import { alice, startServer } from './server.ts'
import { startTgt } from './tgt.ts'

async function startOurs(): Promise<Target> {
  const server = await startServer({ shares: {}, extra: ['--volume', 'disk0=64MiB', '--iscsi', '127.0.0.1:0'] })
  return {
    ...server.iscsi,
    ...alice,
    target: 'iqn.2026-11.io.holdfast:disk0',
    lun: 0,
    errorRecoveryLevel: 2,
    connections: 2,
    comparesAndWrites: true,
    padsSegments: true,
    vendor: 'HOLDFAST',
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function startTheirs(): Promise<Target> {
  const targetCredentials = { user: 'disk', password: 'Battery-Staple-2' }
  const tgt = await startTgt({ account: alice, targetAccount: targetCredentials })
  const { host, port, target, lun } = tgt
  return {
    host,
    port,
    target,
    lun,
    targetCredentials,
    ...alice,
    errorRecoveryLevel: 0,
    connections: 1,
    comparesAndWrites: false,
    // It writes the padding of a Data-In over the data that comes next.
    padsSegments: false,
    vendor: 'IET',
    [Symbol.asyncDispose]: () => tgt[Symbol.asyncDispose](),
  }
}

iscsiInitiatorSuite('the iSCSI initiator against the product', startOurs, { skip: false })
iscsiInitiatorSuite('the iSCSI initiator against tgt', startTheirs, { skip: missing('tgtd', 'root') })
