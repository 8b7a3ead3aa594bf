import { mkdirSync } from 'node:fs'
import { interruptionSuite } from './client-interruption-suite.ts'
import type { LocalTarget } from './client-interruption-suite.ts'
import { temporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { startSamba } from './samba.ts'
import { alice, startServer } from './server.ts'

const needBytes = 1024 * 1024 * 1024

async function startOurs(): Promise<LocalTarget> {
  const folder = temporaryFolder('client-interruptions', { needBytes })
  mkdirSync(folder.at('docs'))
  const server = await startServer({ shares: { docs: folder.at('docs') } })
  return {
    ...server.smb,
    ...alice,
    share: 'docs',
    readOnlyShare: 'docs',
    folder: folder.at('docs'),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function startTheirs(): Promise<LocalTarget> {
  const samba = await startSamba({ docs: 'full' })
  const [account] = samba.accounts
  return {
    ...samba.smb,
    ...account,
    share: 'docs',
    readOnlyShare: 'docs',
    folder: samba.folderOf('docs'),
    [Symbol.asyncDispose]: () => samba[Symbol.asyncDispose](),
  }
}

interruptionSuite('the SMB client through losses of its connection to the product', startOurs, {
  skip: false,
})
interruptionSuite("the SMB client through losses of its connection to Samba's smbd", startTheirs, {
  skip: missing('smbd', 'smbpasswd', 'smbclient', 'samba-vfs-modules', 'root'),
})
