import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { SmbClient, SmbError } from '@holdfast/smb/client'
import { randomContent, temporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { startSamba } from './samba.ts'
import { alice, startServer } from './server.ts'
import { smbClientSuite } from './smb-client-suite.ts'
import type { Target } from './smb-client-target.ts'

const needBytes = 1024 * 1024 * 1024

async function startOurs(): Promise<Target> {
  const folder = temporaryFolder('smb-client', { needBytes })
  for (const name of ['docs', 'locked', 'fixed']) mkdirSync(folder.at(name))
  const shares = { docs: folder.at('docs'), locked: `${folder.at('locked')},encrypt`, fixed: `${folder.at('fixed')},read-only` }
  const server = await startServer({ shares })
  return {
    ...server.smb,
    ...alice,
    share: 'docs',
    readOnlyShare: 'fixed',
    encryptedShare: 'locked',
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function startTheirs(): Promise<Target> {
  const samba = await startSamba({ docs: 'full', fixed: 'read-only' })
  const [account] = samba.accounts
  return { ...samba.smb, ...account, share: 'docs', readOnlyShare: 'fixed', [Symbol.asyncDispose]: () => samba[Symbol.asyncDispose]() }
}

smbClientSuite('the SMB client against the product', startOurs, { skip: false })
smbClientSuite("the SMB client against Samba's smbd", startTheirs, { skip: missing('smbd', 'smbpasswd', 'smbclient', 'samba-vfs-modules', 'root') })

describe('the SMB client and a server that dies', { timeout: 60_000 }, () => {
  test('kill -9 in the middle of a transfer rejects it, and does not hang', async () => {
    await using folder = temporaryFolder('smb-client', { needBytes })
    const server = await startServer({ shares: { docs: folder.path } })
    await using client = await SmbClient.connect({ ...server.smb, ...alice, reconnectMs: 500 })
    await using share = await client.share('docs')
    const content = randomContent(32 * 1024 * 1024)
    const transfer = (async () => {
      for (;;) await share.writeFile('film', content)
    })()
    setTimeout(() => void server.kill(), 200)
    await assert.rejects(transfer, (error: unknown) => error instanceof SmbError && error.code === 'CONNECTION_LOST')
    await assert.rejects(share.stat('film'), (error: unknown) => error instanceof SmbError && error.code === 'CONNECTION_LOST')
    await server[Symbol.asyncDispose]()
  })
})
