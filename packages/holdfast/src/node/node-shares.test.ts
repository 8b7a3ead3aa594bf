import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryStore } from '@holdfast/cluster'
import { ShareStore } from '../shares/share-store.ts'
import type { NodeConfig } from './node-config.ts'
import { defaultSmbAddress, prepareNodeShares } from './node-shares.ts'

const config: NodeConfig = {
  name: 'FILES',
  stateDir: '/state',
  identity: { serverGuid: '0a0b0c0d-0102-0304-0506-070809101112', machineSid: 'S-1-5-21-1-2-3' },
  shares: [],
  volumes: [],
  smb: [],
  iscsi: [],
  http: [],
  signing: 'required',
  limits: { engine: {}, smb: {} },
}

test('a node listens for SMB where its state has shares, and nothing else is said', async () => {
  await using store = memoryStore()
  assert.deepEqual((await prepareNodeShares(config, store)).smb, [])
  await new ShareStore(store).put({ name: 'docs', path: '/srv/docs', options: [], comment: '' })
  assert.deepEqual((await prepareNodeShares(config, store)).smb, [defaultSmbAddress])
  const said = { ...config, smb: [{ host: '127.0.0.1', port: 4455 }] }
  assert.deepEqual((await prepareNodeShares(said, store)).smb, said.smb)
})
