/** Clients without a name: refused, and with `--anonymous on` at IPC$ and nowhere else. rpcclient comes with smbclient. */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { runCommand } from './command.ts'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { alice, startServer } from './server.ts'
import type { Server } from './server.ts'
import { dialects, smbclient, smbclientList } from './smbclient.ts'

describe("clients without a name, Samba's smbclient and rpcclient", { skip: missing('smbclient') }, () => {
  let folder: TemporaryFolder
  let server: Server
  const anonymous = { account: undefined, protection: 'plain' } as const

  const rpc = async (command: string): Promise<string> => {
    const { host, port } = server.smb
    const { stdout, stderr } = await runCommand('rpcclient', ['--configfile=/dev/null', `--port=${port}`, '-N', '-U', '%', host, '-c', command])
    return stdout + stderr
  }

  before(async () => {
    folder = temporaryFolder('anonymous')
    mkdirSync(folder.at('docs'))
    server = await startServer({ shares: { docs: folder.at('docs') }, extra: ['--anonymous', 'on'] })
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  for (const dialect of dialects) {
    test(`${dialect}: IPC$ is what is listed, and a disk share is refused, whether it exists or not`, async () => {
      const { stdout, ntStatus } = await smbclientList({ endpoint: server.smb, ...anonymous, dialect })
      assert.equal(ntStatus, undefined)
      assert.match(stdout, /^IPC\|IPC\$\|/m)
      assert.doesNotMatch(stdout, /docs/)
      for (const share of ['docs', 'nothing']) {
        const refused = await smbclient({ endpoint: server.smb, share, ...anonymous, dialect, commands: ['ls'] })
        assert.equal(refused.ntStatus, 'NT_STATUS_ACCESS_DENIED', share)
      }
    })
  }

  test('the server says what it is, and not who its users are', async () => {
    assert.match(await rpc('srvinfo'), /platform_id/)
    assert.match(await rpc('lookupnames alice'), /NT_STATUS_/)
    assert.match(await rpc('netsharegetinfo docs'), /WERR_/)
  })

  test('a user on the same server sees and reaches the shares', async () => {
    const { stdout } = await smbclientList({ endpoint: server.smb, account: alice })
    assert.match(stdout, /^Disk\|docs\|/m)
    const { ntStatus } = await smbclient({ endpoint: server.smb, share: 'docs', account: alice, commands: ['ls'] })
    assert.equal(ntStatus, undefined)
  })

  test('without --anonymous nobody without a name gets in', async () => {
    await using strict = await startServer({ shares: { docs: folder.at('docs') } })
    const { ntStatus } = await smbclientList({ endpoint: strict.smb, ...anonymous })
    assert.equal(ntStatus, 'NT_STATUS_ACCESS_DENIED')
  })
})
