/** What a user is told when something is wrong: the table of docs/statuses.md, row by row. */
import assert from 'node:assert/strict'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { runCommand } from './command.ts'
import { mountSmallFilesystem, randomContent, temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { alice, productMain, startServer } from './server.ts'
import type { Server } from './server.ts'
import { smbclient, smbclientList } from './smbclient.ts'
import type { SmbclientOptions, SmbclientResult } from './smbclient.ts'

const mebibyte = 1024 * 1024

describe('error situations', { skip: missing('smbclient') }, () => {
  let folder: TemporaryFolder
  let server: Server
  const smallSkip = missing('root', 'mount')
  let smallMount: AsyncDisposable | undefined

  before(async () => {
    folder = temporaryFolder('statuses')
    for (const name of ['docs', 'frozen', 'small', 'doomed', 'local', 'outside']) mkdirSync(folder.at(name))
    writeFileSync(folder.at('frozen', 'old.txt'), 'as it was')
    writeFileSync(folder.at('local', 'file'), randomContent(8 * mebibyte))
    // Mounted before the server looks at it, as an operator would.
    if (smallSkip === false) smallMount = await mountSmallFilesystem(folder.at('small'), 2 * mebibyte)
    server = await startServer({
      shares: { docs: folder.at('docs'), frozen: `${folder.at('frozen')},read-only`, small: folder.at('small'), doomed: folder.at('doomed') },
    })
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await smallMount?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  const run = async (commands: readonly string[], more: Partial<SmbclientOptions> = {}): Promise<SmbclientResult> =>
    smbclient({ endpoint: server.smb, share: 'docs', account: alice, commands, cwd: folder.at('local'), ...more })
  const statusOf = async (commands: readonly string[], more: Partial<SmbclientOptions> = {}): Promise<string | undefined> =>
    (await run(commands, more)).ntStatus

  test('a wrong password: STATUS_LOGON_FAILURE (MS-SMB2 3.3.5.5.3)', async () => {
    assert.equal(await statusOf(['ls'], { account: { ...alice, password: 'wrong' } }), 'NT_STATUS_LOGON_FAILURE')
  })

  test('an unknown user: the same status as a wrong password, so that names cannot be guessed', async () => {
    assert.equal(await statusOf(['ls'], { account: { user: 'nobody-here', password: alice.password } }), 'NT_STATUS_LOGON_FAILURE')
  })

  test('nobody gets in without a name and a password', async () => {
    assert.match((await statusOf(['ls'], { account: undefined })) ?? '', /^NT_STATUS_(LOGON_FAILURE|ACCESS_DENIED)$/)
    const { ntStatus, stdout } = await smbclientList({ endpoint: server.smb, account: undefined })
    assert.match(ntStatus ?? '', /^NT_STATUS_(LOGON_FAILURE|ACCESS_DENIED)$/)
    assert.doesNotMatch(stdout, /docs/)
  })

  test('an unknown share: STATUS_BAD_NETWORK_NAME (MS-SMB2 3.3.5.7)', async () => {
    assert.equal(await statusOf(['ls'], { share: 'nowhere' }), 'NT_STATUS_BAD_NETWORK_NAME')
  })

  for (const command of ['put file', 'del old.txt', 'mkdir new', 'rename old.txt new.txt', 'setmode old.txt +h']) {
    test(`a read-only share refuses "${command}": STATUS_ACCESS_DENIED`, async () => {
      assert.equal(await statusOf([command], { share: 'frozen' }), 'NT_STATUS_ACCESS_DENIED')
    })
  }

  test('a read-only share can be read', async () => {
    const result = await run(['ls', 'get old.txt'], { share: 'frozen' })
    assert.deepEqual({ status: result.status, nt: result.ntStatus }, { status: 0, nt: undefined }, result.stdout)
  })

  const situations: readonly (readonly [what: string, command: string, status: string])[] = [
    ['a file that is not there', 'get nothing', 'NT_STATUS_OBJECT_NAME_NOT_FOUND'],
    ['a folder on the way that is not there', 'put file no\\such\\file', 'NT_STATUS_OBJECT_PATH_NOT_FOUND'],
    ['a listing that matches nothing', 'ls nothing', 'NT_STATUS_NO_SUCH_FILE'],
    ['a name that is taken', 'mkdir taken', 'NT_STATUS_OBJECT_NAME_COLLISION'],
    ['a folder that is not empty', 'rmdir taken', 'NT_STATUS_DIRECTORY_NOT_EMPTY'],
  ]
  for (const [what, command, status] of situations) {
    test(`${what}: ${status}`, async () => {
      mkdirSync(folder.at('docs', 'taken', 'inside'), { recursive: true })
      assert.equal(await statusOf([command]), status)
    })
  }

  test('a symbolic link that leads out of the share is not followed', async () => {
    writeFileSync(folder.at('outside', 'secret'), 'not for you')
    symlinkSync('../outside', folder.at('docs', 'leak'))
    symlinkSync('../outside/secret', folder.at('docs', 'leak.txt'))
    for (const command of ['get leak\\secret', 'get leak.txt', 'put file leak\\file']) {
      const { ntStatus, stdout } = await run([command])
      assert.match(ntStatus ?? 'no error', /^NT_STATUS_/, `${command}: ${stdout}`)
    }
  })

  test('a full disk: STATUS_DISK_FULL', { skip: smallSkip }, async () => {
    // smbclient then forgets its other writes and stumbles over their answers when it closes the file, with every server: the first word counts.
    const { stdout, stderr } = await run(['put file'], { share: 'small' })
    assert.match(stdout + stderr, /cli_push returned NT_STATUS_DISK_FULL/)
    const after = await run(['del file', 'mkdir x', 'rmdir x', 'ls'], { share: 'small' })
    assert.doesNotMatch(after.stdout, /DISK_FULL/)
  })

  test('a folder deleted under the server: STATUS_OBJECT_PATH_NOT_FOUND on the connection that had it', async () => {
    const removed = folder.at('doomed')
    const { stdout } = await run(['ls', `!rm -rf ${removed}`, 'put file', 'mkdir x'], { share: 'doomed' })
    const statuses = stdout.match(/NT_STATUS_[A-Z_]+/g)
    assert.ok(statuses !== null && statuses.length >= 2, stdout)
    for (const status of statuses) assert.match(status, /^NT_STATUS_OBJECT_(PATH|NAME)_NOT_FOUND$/)
  })

  test('a folder deleted under the server: STATUS_BAD_NETWORK_NAME for who comes later, and back when it is back', async () => {
    rmSync(folder.at('doomed'), { recursive: true, force: true })
    assert.equal(await statusOf(['ls'], { share: 'doomed' }), 'NT_STATUS_BAD_NETWORK_NAME')
    mkdirSync(folder.at('doomed'))
    assert.equal(await statusOf(['ls'], { share: 'doomed' }), undefined)
  })

  test('all the while the other shares work', async () => {
    const result = await run(['put file', 'get file back', 'del file'])
    assert.deepEqual({ status: result.status, nt: result.ntStatus }, { status: 0, nt: undefined }, result.stdout)
    assert.ok(server.isRunning)
  })

  test('wrong usage: one line that names the key and the value, exit status 2', async () => {
    const wrong: readonly (readonly [string, ...string[]])[] = [
      ['--smb', '127.0.0.1:nonsense'],
      ['--share', 'docs'],
      ['--workers', 'many'],
      ['--no-such-option', 'x'],
    ]
    for (const args of wrong) {
      const { status, stderr } = await runCommand(process.execPath, [productMain, 'serve', '--state', folder.at('state-of-none'), ...args])
      assert.equal(status, 2, `${args.join(' ')}: ${stderr}`)
      assert.match(stderr, new RegExp(args[0].replace('--', '')))
    }
  })
})
