/** Shares, users, sessions and open files of a node that runs, over the management API; Samba's smbclient and rpcclient use it meanwhile. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { connectDisk } from '@holdfast/iscsi/initiator'
import { SmbClient } from '@holdfast/smb/client'
import { startCutter } from './client-cutter.ts'
import { runCommand } from './command.ts'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { type Item, Management } from './management.ts'
import { missing } from './packages.ts'
import { alice, bob, startServer } from './server.ts'
import type { Account, Server } from './server.ts'
import { SmbclientShell } from './smbclient-shell.ts'
import { smbclient, smbclientList } from './smbclient.ts'

const root: Account = { user: 'root', password: 'Master-Key-3' }
const workers = 3

describe('a node is managed while it runs', { skip: missing('smbclient'), timeout: 300_000 }, () => {
  let folder: TemporaryFolder
  let server: Server
  let management: Management

  const start = (smbPort = 0): Promise<Server> =>
    startServer({
      shares: { fixed: folder.at('fixed') },
      state: folder.at('state'),
      workers,
      smbPort,
      extra: ['--admin', `${root.user}:${root.password}`, '--volume', 'disk0=16MiB', '--iscsi', '127.0.0.1:0'],
      env: { HOLDFAST_CHAOS: '1' },
    })
  before(async () => {
    folder = temporaryFolder('administration')
    for (const name of ['state', 'fixed', 'docs', 'other', 'kept']) mkdirSync(folder.at(name))
    writeFileSync(folder.at('docs/a.txt'), 'of docs')
    writeFileSync(folder.at('other/a.txt'), 'of other')
    server = await start()
    management = await Management.login(server.http, root)
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  /** A session that stays. */
  const shell = (share: string, account: Account = alice): Promise<SmbclientShell> => SmbclientShell.open({ endpoint: server.smb, share, account })
  const statusOn = async (share: string, account: Account = alice): Promise<string | undefined> =>
    (await smbclient({ endpoint: server.smb, share, account, commands: ['ls'] })).ntStatus
  const rpc = async (command: string, { user, password }: Account): Promise<string> => {
    const { host, port } = server.smb
    const words = ['--configfile=/dev/null', `--port=${port}`, '-U', `${user}%${password}`, host, '-c', command]
    const { stdout, stderr } = await runCommand('rpcclient', words)
    return stdout + stderr
  }
  /** All of them, on as many connections as there are workers and more: each worker has some. */
  const onAllWorkers = async (check: () => Promise<void>): Promise<void> => {
    for (let connection = 0; connection < 2 * workers; connection++) await check()
  }
  const problemOf = async (...asked: Parameters<Management['do']>): Promise<unknown> => (await management.do(...asked))?.['code']
  const iscsiSessions = async (): Promise<Item[]> => (await management.list('/v1/sessions')).filter(({ protocol }) => protocol === 'iscsi')
  const textOf = (value: unknown): string => String(value)

  describe('shares', () => {
    test('are there for every worker as soon as they are made, and in the list (MS-SRVS 3.1.4.8)', async () => {
      assert.equal(await statusOn('docs'), 'NT_STATUS_BAD_NETWORK_NAME')
      const made = await management.do('POST', '/v1/shares', { name: 'docs', path: folder.at('docs'), comment: 'Papers' })
      assert.deepEqual([made?.['name'], made?.['path'], made?.['origin']], ['docs', folder.at('docs'), 'api'])
      await onAllWorkers(async () => assert.equal(await statusOn('DOCS'), undefined))
      assert.match((await smbclientList({ endpoint: server.smb, account: alice })).stdout, /^Disk\|docs\|Papers$/m)
      assert.equal(await problemOf('POST', '/v1/shares', { name: 'Docs', path: folder.at('docs') }), 'SHARE_EXISTS')
      assert.equal(await problemOf('DELETE', '/v1/shares/fixed'), 'SHARE_CONFIGURED')
    })

    test('are as they were after kill -9, with the persistent opens of their clients', async () => {
      const options = ['continuous-availability']
      await management.do('POST', '/v1/shares', { name: 'kept', path: folder.at('kept'), options })
      const { port } = server.smb
      await using client = await SmbClient.connect({ ...server.smb, ...alice })
      await using file = await (await client.share('kept')).open('open', { flags: 'wx+' })
      assert.equal(file.durability, 'persistent')
      await file.write(Buffer.from('before '), 0)
      await server.kill()
      server = await start(port)
      management = await Management.login(server.http, root)
      await file.write(Buffer.from('and after'), 7)
      const shares = await management.list('/v1/shares')
      assert.deepEqual(
        shares.map(({ name, options, opens }) => [name, options, opens]),
        [
          ['docs', [], 0],
          ['fixed', [], 0],
          ['kept', options, 1],
        ],
      )
      await onAllWorkers(async () => assert.equal(await statusOn('docs'), undefined))
    })

    test('are found by a worker that has died and started again', async () => {
      for (let death = 0; death < workers; death++) server.signal('SIGUSR2')
      await onAllWorkers(async () => assert.equal(await statusOn('docs'), undefined))
      assert.equal(await problemOf('POST', '/v1/shares', { name: 'docs', path: folder.at('docs') }), 'SHARE_EXISTS')
    })

    test('that are changed are so for the next tree connect; what is connected goes on', async () => {
      await using before = await shell('docs')
      const changed = await management.do('PATCH', '/v1/shares/docs', { options: ['encrypt'] })
      assert.deepEqual(changed?.['options'], ['encrypt'])
      assert.match(await before.run('ls'), /a\.txt/)
      const plain = await smbclient({ endpoint: server.smb, share: 'docs', account: alice, commands: ['ls'], dialect: 'SMB2_10' })
      assert.equal(plain.ntStatus, 'NT_STATUS_ACCESS_DENIED')
    })

    test('with another folder begin anew: what is connected ends with NETWORK_NAME_DELETED (MS-SMB2 3.3.5.2.11)', async () => {
      await using before = await shell('docs')
      assert.match(await before.run('open a.txt'), /fnum/)
      await management.do('PATCH', '/v1/shares/docs', { path: folder.at('other'), options: ['read-only'] })
      assert.match(await before.run('ls'), /NT_STATUS_NETWORK_NAME_DELETED/)
      await onAllWorkers(async () => {
        const commands = [`get a.txt ${folder.at('local')}`, `put ${folder.at('local')} b`]
        const { ntStatus } = await smbclient({ endpoint: server.smb, share: 'docs', account: alice, commands })
        assert.equal(ntStatus, 'NT_STATUS_ACCESS_DENIED')
        assert.equal(readFileSync(folder.at('local'), 'utf8'), 'of other')
      })
      assert.equal(existsSync(folder.at('other/b')), false)
    })

    test('that are deleted end with all that is open on them, persistent opens too, and their files stay', async () => {
      await using user = await shell('kept', bob)
      assert.match(await user.run('open open'), /fnum/)
      await using client = await SmbClient.connect({ ...server.smb, ...alice })
      const share = await client.share('kept')
      const file = await share.open('more', { flags: 'wx+' })
      assert.equal(file.durability, 'persistent')
      assert.equal(await management.do('DELETE', '/v1/shares/kept'), null)
      assert.match(await user.run('ls'), /NT_STATUS_NETWORK_NAME_DELETED/)
      await onAllWorkers(async () => assert.equal(await statusOn('kept'), 'NT_STATUS_BAD_NETWORK_NAME'))
      assert.deepEqual(await management.list('/v1/opens?share=kept'), [])
      assert.equal(await problemOf('DELETE', '/v1/shares/kept'), 'UNKNOWN_SHARE')
      assert.equal(existsSync(folder.at('kept/open')), true)
      // Nothing of before is in the way of a new one.
      await management.do('POST', '/v1/shares', { name: 'kept', path: folder.at('kept'), options: ['continuous-availability'] })
      assert.deepEqual(await management.list('/v1/opens?share=kept'), [])
      await using again = await shell('kept', bob)
      assert.match(await again.run('rm more'), /^(?!.*NT_STATUS)/s)
    })
  })

  describe('users', () => {
    const carol: Account = { user: 'carol', password: 'New-Here-4' }

    test('may log in as soon as they are made, and with a new password as soon as they have it', async () => {
      assert.equal(await statusOn('fixed', carol), 'NT_STATUS_LOGON_FAILURE')
      await management.do('POST', '/v1/users', { name: carol.user, password: carol.password })
      await onAllWorkers(async () => assert.equal(await statusOn('fixed', carol), undefined))
      await management.do('PATCH', '/v1/users/carol', { password: 'Changed-5' })
      await onAllWorkers(async () => assert.equal(await statusOn('fixed', { ...carol, password: 'Changed-5' }), undefined))
      assert.equal(await statusOn('fixed', carol), 'NT_STATUS_LOGON_FAILURE')
    })

    test('who are disabled lose their sessions and cannot log in; who are enabled can', async () => {
      const account = { ...carol, password: 'Changed-5' }
      await using session = await shell('fixed', account)
      await management.do('PATCH', '/v1/users/carol', { disabled: true })
      assert.match(await session.run('ls'), /NT_STATUS_(CONNECTION|USER_SESSION|INVALID_NETWORK|UNSUCCESSFUL|IO_TIMEOUT)/)
      await onAllWorkers(async () => assert.equal(await statusOn('fixed', account), 'NT_STATUS_LOGON_FAILURE'))
      await management.do('PATCH', '/v1/users/carol', { disabled: false })
      assert.equal(await statusOn('fixed', account), undefined)
    })

    test('who are deleted are gone, with their sessions', async () => {
      const account = { ...carol, password: 'Changed-5' }
      await using session = await shell('fixed', account)
      assert.equal(
        (await management.list('/v1/sessions')).some(({ user }) => user === carol.user),
        true,
      )
      await management.do('DELETE', '/v1/users/carol')
      assert.equal(
        (await management.list('/v1/sessions')).some(({ user }) => user === carol.user),
        false,
      )
      assert.match(await session.run('ls'), /NT_STATUS/)
      assert.equal(await statusOn('fixed', account), 'NT_STATUS_LOGON_FAILURE')
      assert.equal(await problemOf('DELETE', '/v1/users/root'), 'USER_CONFIGURED')
      assert.equal(await problemOf('PATCH', '/v1/users/root', { disabled: true }), 'LAST_ADMIN')
    })
  })

  describe('sessions', () => {
    test('of all workers are shown with what they do, and end when they are told to', async () => {
      await using first = await shell('fixed')
      await using second = await shell('fixed', bob)
      writeFileSync(folder.at('upload'), Buffer.alloc(100_000))
      await first.run(`put ${folder.at('upload')} upload`)
      await first.run('open upload')
      const sessions = await management.list('/v1/sessions?limit=1')
      const of = (user: string) => sessions.filter(session => session['user'] === user)
      assert.deepEqual([of('alice').length, of('bob').length], [1, 1])
      const [session] = of('alice')
      const { protocol, dialect, signing, connections, opens, uses, bytesWritten } = session
      assert.deepEqual([protocol, dialect, signing, connections, opens, uses, bytesWritten], ['smb', '3.1.1', true, 1, 1, ['fixed'], 100_000])
      assert.equal((session['client'] as Item)['address'], '127.0.0.1')
      const path = `/v1/sessions/${textOf(session['id'])}`
      assert.equal((await management.get(path))['id'], session['id'])
      assert.equal(await management.do('DELETE', path), null)
      assert.match(await first.run('ls'), /NT_STATUS/)
      assert.match(await second.run('ls'), /upload/)
      assert.equal((await management.get(path))['code'], 'UNKNOWN_SESSION')
      assert.equal(await problemOf('DELETE', path), 'UNKNOWN_SESSION')
    })
  })

  describe('sessions of disks', () => {
    const target = 'iqn.2026-11.io.holdfast:disk0'

    test('are shown beside those of files; ended, their initiator may log in again', async () => {
      await management.do('POST', '/v1/users', { name: 'dora', password: 'Long-Enough-For-Chap' })
      await using disk = await connectDisk({ ...server.iscsi, target, user: 'dora', password: 'Long-Enough-For-Chap', reconnectMs: 20_000 })
      await disk.write(0, Buffer.alloc(8192, 1))
      const [session, more] = await iscsiSessions()
      const { user, uses, connections, bytesWritten, signing, encryption } = session
      assert.deepEqual([user, uses, connections, bytesWritten, signing, encryption, more], ['dora', ['disk0'], 1, 8192, false, false, undefined])
      const path = `/v1/sessions/${textOf(session['id'])}`
      assert.equal((await management.get(path))['since'], session['since'])
      assert.equal(await management.do('DELETE', path), null)
      assert.equal((await management.get(path))['code'], 'UNKNOWN_SESSION')
      assert.equal((await disk.read(0, 512))[0], 1)
    })

    test('end with their user, who is not let in again', async () => {
      const interrupted = Promise.withResolvers<void>()
      await using disk = await connectDisk({
        ...server.iscsi,
        target,
        user: 'dora',
        password: 'Long-Enough-For-Chap',
        reconnectMs: 2000,
        onInterruption: ({ kind }) => kind === 'lost' && interrupted.resolve(),
      })
      await disk.read(0, 512)
      await management.do('PATCH', '/v1/users/dora', { disabled: true })
      await interrupted.promise
      await assert.rejects(disk.read(0, 512))
      assert.deepEqual(await iscsiSessions(), [])
      await assert.rejects(connectDisk({ ...server.iscsi, target, user: 'dora', password: 'Long-Enough-For-Chap', reconnectMs: 0 }))
    })
  })

  describe('open files', () => {
    test('are shown with who has them and how, and are closed whatever their client does (MS-SMB2 3.3.4.17)', async () => {
      await using user = await shell('fixed')
      const opened = /fnum (\d+)/.exec(await user.run('open upload'))?.[1]
      await user.run('open upload')
      const opens = await management.list('/v1/opens?share=FIXED&user=alice&limit=1')
      assert.deepEqual(
        opens.map(({ share, path, user, access, durability, waiting }) => [
          share,
          path,
          user,
          textOf(access).split(' ').slice(0, 2),
          durability,
          waiting,
        ]),
        [
          ['fixed', 'upload', 'alice', ['read', 'write'], 'none', false],
          ['fixed', 'upload', 'alice', ['read', 'write'], 'none', false],
        ],
      )
      for (const { id } of opens) assert.equal(await management.do('DELETE', `/v1/opens/${textOf(id)}`), null)
      assert.match(await user.run(`close ${opened}`), /NT_STATUS_FILE_CLOSED/)
      assert.match(await user.run('ls'), /upload/)
      assert.deepEqual(await management.list('/v1/opens?share=fixed'), [])
      assert.equal(await problemOf('DELETE', `/v1/opens/${textOf(opens[0]['id'])}`), 'UNKNOWN_OPEN')
    })

    test('that wait for their client are shown as such, and are closed for good', async () => {
      await using way = await startCutter(server.smb)
      await using client = await SmbClient.connect({ ...way.endpoint, ...alice, reconnectMs: 5000 })
      const file = await (await client.share('kept')).open('waiting', { flags: 'wx+' })
      assert.equal(file.durability, 'persistent')
      way.refuse(true)
      way.cut()
      let [open, more] = await management.list('/v1/opens?share=kept')
      while (open['waiting'] === false) [open, more] = await management.list('/v1/opens?share=kept')
      assert.deepEqual([open['path'], open['user'], open['durability'], open['waiting'], more], ['waiting', 'alice', 'persistent', true, undefined])
      assert.equal(await management.do('DELETE', `/v1/opens/${textOf(open['id'])}`), null)
      assert.deepEqual(await management.list('/v1/opens?share=kept'), [])
      // Nobody has it, so somebody else may have it alone.
      const { ntStatus } = await smbclient({ endpoint: server.smb, share: 'kept', account: bob, commands: ['rm waiting'] })
      assert.equal(ntStatus, undefined)
    })

    test('are shown in pages that miss none', async () => {
      await using client = await SmbClient.connect({ ...server.smb, ...alice })
      const share = await client.share('fixed')
      const files = await Promise.all(Array.from({ length: 250 }, (_, index) => share.open(`page-${index}`, { flags: 'wx+' })))
      const opens = await management.list('/v1/opens?share=fixed&limit=17')
      assert.deepEqual(new Set(opens.map(({ path }) => path)), new Set(files.map((_, index) => `page-${index}`)))
      await Promise.all(files.map(file => file.close()))
    })
  })

  describe('srvsvc', () => {
    test('shows administrators sessions and open files of all workers, and ends them; others nothing (MS-SRVS 3.1.4.2 to 3.1.4.6)', async () => {
      await using user = await shell('fixed')
      await using other = await shell('fixed', bob)
      await user.run('open upload')
      assert.match(await rpc('netfileenum', root), /^C:\\fixed\\upload$/m)
      assert.match(await rpc('netsessenum', root), /Received [3-9]/)
      assert.match(await rpc('netfileenum', alice), /WERR_ACCESS_DENIED/)
      assert.match(await rpc('netsessenum', alice), /WERR_ACCESS_DENIED/)
      assert.match(await rpc('netsessdel 127.0.0.1 bob', alice), /WERR_ACCESS_DENIED/)
      assert.doesNotMatch(await rpc('netsessdel 127.0.0.1 bob', root), /WERR/)
      assert.match(await other.run('ls'), /NT_STATUS/)
      assert.match(await user.run('ls'), /upload/)
    })
  })
})
