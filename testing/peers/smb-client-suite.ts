/** What the SMB client must be able to do with any server: written once, run against each. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { SmbClient } from '@holdfast/smb/client'
import type { SmbClientOptions, SmbDialect, SmbShare } from '@holdfast/smb/client'
import { randomContent } from './folder.ts'
import { startProxy } from './proxy.ts'
import { fileTests, folderTests } from './smb-client-files.ts'
import { code } from './smb-client-target.ts'
import type { Target } from './smb-client-target.ts'
import { transferTests } from './smb-client-transfers.ts'

/** Everything, against a target that is started for it. */
export function smbClientSuite(name: string, start: () => Promise<Target>, options: { readonly skip: string | false }): void {
  describe(name, { skip: options.skip, timeout: 300_000 }, () => {
    let target: Target
    let client: SmbClient
    let share: SmbShare

    const connect = async (more: Partial<SmbClientOptions> = {}): Promise<SmbClient> => {
      const { host, port, user, password } = target
      return SmbClient.connect({ host, port, user, password, timeoutMs: 20_000, ...more })
    }

    before(async () => {
      target = await start()
      client = await connect()
      share = await client.share(target.share)
    })
    after(async () => {
      await client?.close()
      await target?.[Symbol.asyncDispose]()
    })

    describe('dialects and protection', () => {
      const dialects: readonly SmbDialect[] = ['2.0.2', '2.1', '3.0', '3.0.2', '3.1.1']
      const modes: (readonly [string, Partial<SmbClientOptions>])[] = [
        ...dialects.map(dialect => [`${dialect} signed`, { dialects: [dialect] }] as const),
        ...dialects.map(dialect => [`${dialect} without signing`, { dialects: [dialect], signing: 'if-asked' }] as const),
        ...dialects.slice(2).map(dialect => [`${dialect} encrypted`, { dialects: [dialect], encrypt: true }] as const),
        ...(['AES-GMAC', 'AES-CMAC', 'HMAC-SHA256'] as const).map(one => [`signed by ${one}`, { signingAlgorithms: [one] }] as const),
        ...(['AES-128-CCM', 'AES-128-GCM', 'AES-256-CCM', 'AES-256-GCM'] as const).map(
          one => [`encrypted by ${one}`, { ciphers: [one], encrypt: true }] as const,
        ),
      ]
      for (const [mode, more] of modes) {
        test(`${mode}: files and folders`, async () => {
          await using own = await connect(more)
          assert.equal(own.dialect, more.dialects?.[0] ?? '3.1.1')
          assert.equal(own.encrypts, more.encrypt ?? false)
          if (more.ciphers !== undefined) assert.equal(own.cipher, more.ciphers[0])
          await using docs = await own.share(target.share)
          const content = randomContent(300_001)
          await docs.mkdir('mode/sub', { recursive: true })
          await docs.writeFile('mode/sub/a.bin', content)
          assert.deepEqual(await docs.readFile('mode/sub/a.bin'), content)
          assert.equal((await docs.stat('mode/sub/a.bin')).sizeBytes, 300_001)
          assert.deepEqual(
            (await Array.fromAsync(docs.list('mode/sub'))).map(entry => [entry.name, entry.kind, entry.sizeBytes]),
            [['a.bin', 'file', 300_001]],
          )
          await docs.removeFolder('mode', { recursive: true })
          assert.equal(await docs.exists('mode'), false)
        })
      }

      test('2.0.2 cannot be encrypted', async () => {
        await assert.rejects(connect({ dialects: ['2.0.2'], encrypt: true }), code('ENCRYPTION_NOT_SUPPORTED'))
      })

      test('a share that demands encryption is encrypted', async t => {
        if (target.encryptedShare === undefined) return t.skip('the target has none')
        await using locked = await client.share(target.encryptedShare)
        assert.equal(locked.tree.encrypts, true)
        await locked.writeFile('secret', 'text')
        assert.equal((await locked.readFile('secret')).toString(), 'text')
        await locked.remove('secret')
      })
    })

    describe('logging in', () => {
      test('a wrong password and an unknown user are LOGON_FAILURE', async () => {
        await assert.rejects(connect({ password: 'wrong' }), code('LOGON_FAILURE'))
        await assert.rejects(connect({ user: 'nobody-of-that-name' }), code('LOGON_FAILURE'))
      })

      test('an unknown share is NO_SUCH_SHARE, and the session goes on', async () => {
        await assert.rejects(client.share('no-such-share'), code('NO_SUCH_SHARE'))
        assert.equal(client.state, 'connected')
      })

      test('nobody listening is CONNECTION_FAILED', async () => {
        await assert.rejects(connect({ port: 1 }), code('CONNECTION_FAILED'))
      })

      test('the shares of the server (MS-SRVS 3.1.4.8)', async () => {
        const shares = await client.shares()
        assert.ok(shares.some(one => one.name === target.share && one.kind === 'disk'))
        assert.ok(shares.some(one => one.name === 'IPC$' && one.kind === 'ipc' && one.isSpecial))
      })
    })

    describe('a man in the middle', () => {
      const flip = (frame: Buffer, at: number): void => void (frame[at] = frame[at] ^ 1)
      const through = async (meddle: Parameters<typeof startProxy>[1], more: Partial<SmbClientOptions>): Promise<void> => {
        await using proxy = await startProxy(target, meddle)
        await using own = await connect({ ...more, ...proxy.endpoint, timeoutMs: 5000 })
        await using docs = await own.share(target.share)
        await docs.stat('')
      }
      const protections: readonly Partial<SmbClientOptions>[] = [{}, { encrypt: true }, { dialects: ['2.1'] }, { dialects: ['3.0.2'], encrypt: true }]
      for (const more of protections) {
        test(`who changes an answer is found out ${JSON.stringify(more)} (MS-SMB2 3.2.5.1.3)`, async () => {
          let frames = 0
          const toClient = (frame: Buffer): void => void (++frames > 3 && flip(frame, frame.length - 1))
          await assert.rejects(through({ toClient }, more), code('SIGNATURE_INVALID'))
        })
      }

      test('who changes the negotiation of 3.1.1 is found out by the keys (MS-SMB2 3.1.4.4.1)', async () => {
        let isFirst = true
        const toServer = (frame: Buffer): void => {
          // Part of the salt: no one would notice.
          if (isFirst) flip(frame, frame.indexOf(Buffer.from([1, 0, 32, 0, 1, 0])) + 10)
          isFirst = false
        }
        await assert.rejects(through({ toServer }, {}), code('SIGNATURE_INVALID'))
      })

      test('who takes 3.0.2 away is found out by FSCTL_VALIDATE_NEGOTIATE_INFO (MS-SMB2 3.2.5.5)', async () => {
        let isFirst = true
        const toServer = (frame: Buffer): void => {
          if (isFirst) frame.writeUInt16LE(0x0210, frame.lastIndexOf(Buffer.from([0x02, 0x03])))
          isFirst = false
        }
        await assert.rejects(through({ toServer }, { dialects: ['2.1', '3.0.2'] }), code('NEGOTIATION_TAMPERED', 'CONNECTION_LOST'))
      })
    })

    transferTests(() => ({ target, client, share, connect }))
    folderTests(() => ({ target, client, share, connect }))
    fileTests(() => ({ target, client, share, connect }))
  })
}
