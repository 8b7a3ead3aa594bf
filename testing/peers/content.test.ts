import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { encodeSecurityDescriptor } from '@holdfast/smb/messages'
import { directory } from '@holdfast/storage'
import { mustRun, runCommand } from './command.ts'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { alice, bob, readyWords, startServer } from './server.ts'
import type { Account, Server } from './server.ts'
import { smbclient } from './smbclient.ts'

const mebibyte = 1024 * 1024
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

describe('HTTP content over curl', { skip: missing('curl', 'smbclient') }, () => {
  let folder: TemporaryFolder
  let server: Server
  let origin: string
  let origin6: string
  const large = randomBytes(64 * mebibyte)

  before(async () => {
    folder = temporaryFolder('content')
    for (const name of ['docs', 'open', 'sealed']) mkdirSync(folder.at(name))
    writeFileSync(folder.at('docs', 'hello.txt'), 'hello\n')
    writeFileSync(folder.at('open', 'large.bin'), large)
    writeFileSync(folder.at('sealed', 'secret'), 'secret')
    const share = (name: string, options = '') => `${name}=${folder.at(name)}${options}`
    const shares = [share('docs'), share('open', ',public'), share('sealed', ',encrypt'), { name: 'bobs', path: 'docs', users: ['bob'] }]
    // What YAML is as well.
    writeFileSync(folder.at('holdfast.yaml'), JSON.stringify({ share: shares, content: ['127.0.0.1:0', '[::1]:0'] }))
    server = await startServer({ shares: {}, extra: ['--config', folder.at('holdfast.yaml')], env: { HOLDFAST_CHAOS: '1' }, workers: 2 })
    const [first, second] = readyWords(server.ready).get('content')!.split(',')
    origin = `http://${first}`
    origin6 = `http://${second}`
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  const curl = (...args: readonly string[]): Promise<string> =>
    mustRun('curl', ['--silent', '--show-error', '--max-time', '120', ...args], { timeoutMs: 130_000 })
  const statusOf = async (url: string, { account, args = [] }: { readonly account?: Account; readonly args?: readonly string[] } = {}) => {
    const login = account === undefined ? [] : ['--user', `${account.user}:${account.password}`]
    return Number(await curl('--output', '/dev/null', '--write-out', '%{http_code}', ...login, ...args, url))
  }

  test('over IPv4 and IPv6, with a password for what is not public', async () => {
    for (const at of [origin, origin6]) {
      assert.equal(await curl('--user', `${alice.user}:${alice.password}`, `${at}/docs/hello.txt`), 'hello\n')
      assert.equal(await statusOf(`${at}/docs/hello.txt`), 401)
      assert.equal(await statusOf(`${at}/open/large.bin`, { args: ['--head'] }), 200)
    }
  })

  test('who may connect to a share may read it; what has to be encrypted is not there', async () => {
    assert.equal(await statusOf(`${origin}/bobs/hello.txt`, { account: bob }), 200)
    assert.equal(await statusOf(`${origin}/bobs/hello.txt`, { account: alice }), 403)
    assert.equal(await statusOf(`${origin}/sealed/secret`, { account: alice }), 404)
    assert.ok(!(await curl('--user', `${alice.user}:${alice.password}`, `${origin}/`)).includes('sealed'))
  })

  test('a download that broke off goes on where it was', async () => {
    const target = folder.at('resumed')
    writeFileSync(target, large.subarray(0, 12_345_678))
    await curl('--continue-at', '-', '--output', target, `${origin}/open/large.bin`)
    assert.equal(sha256(readFileSync(target)), sha256(large))
  })

  test('only what has changed is fetched again', async () => {
    const etag = folder.at('etag')
    const target = folder.at('cached')
    const fetch = () => curl('--etag-save', etag, '--etag-compare', etag, '--output', target, '--write-out', '%{http_code}', `${origin}/open/page`)
    writeFileSync(folder.at('open', 'page'), 'first')
    assert.equal(await fetch(), '200')
    assert.equal(await fetch(), '304')
    await wait(20)
    writeFileSync(folder.at('open', 'page'), 'other')
    assert.equal(await fetch(), '200')
    assert.equal(readFileSync(target, 'utf8'), 'other')
  })

  test('what SMB clients write, rename and delete shows at once', async () => {
    writeFileSync(folder.at('local'), 'by SMB')
    const smb = (...commands: readonly string[]) => smbclient({ endpoint: server.smb, share: 'docs', account: alice, commands })
    const url = (name: string) => `${origin}/docs/${name}`
    assert.equal(await statusOf(url('new.txt'), { account: alice }), 404)
    await smb(`put ${folder.at('local')} new.txt`)
    assert.equal(await curl('--user', `${alice.user}:${alice.password}`, url('new.txt')), 'by SMB')
    await smb('rename new.txt newer.txt')
    assert.equal(await statusOf(url('new.txt'), { account: alice }), 404)
    assert.equal(await statusOf(url('newer.txt'), { account: alice }), 200)
    await smb('del newer.txt')
    assert.equal(await statusOf(url('newer.txt'), { account: alice }), 404)
  })

  test('who may not read a file over SMB may not read it here', async () => {
    writeFileSync(folder.at('docs', 'denied.txt'), 'for nobody')
    assert.equal(await statusOf(`${origin}/docs/denied.txt`, { account: bob }), 200)
    const files = directory(folder.at('docs'))
    const file = files.open('denied.txt', '', { read: false, write: true })
    void file.setSecurity(
      encodeSecurityDescriptor({ control: 0, owner: undefined, group: undefined, dacl: { revision: 2, aces: [] }, sacl: undefined }),
    )
    file.close()
    files.close()
    const { ntStatus } = await smbclient({ endpoint: server.smb, share: 'docs', account: bob, commands: ['get denied.txt /dev/null'] })
    assert.equal(ntStatus, 'NT_STATUS_ACCESS_DENIED')
    assert.equal(await statusOf(`${origin}/docs/denied.txt`, { account: bob }), 403)
  })

  test('workers that die while clients read slowly cost nobody a byte, nor the connection', async () => {
    const before = server.log.split('a worker died').length
    const downloads = Array.from({ length: 4 }, async (_, at) => {
      const target = folder.at(`slow-${at}`)
      const connects = await curl(
        '--limit-rate',
        '16M',
        '--output',
        target,
        '--write-out',
        '%{num_connects} %{http_code}',
        `${origin}/open/large.bin`,
      )
      return [connects, sha256(readFileSync(target))]
    })
    let hasEnded = false
    const outcome = Promise.all(downloads).finally(() => (hasEnded = true))
    // A worker takes its time to start: somebody has to be there who goes on.
    for (let kills = 0; !hasEnded && kills < 8; kills++) {
      server.signal('SIGUSR2')
      await Promise.race([outcome, wait(400)])
    }
    for (const download of await outcome) assert.deepEqual(download, ['1 200', sha256(large)])
    assert.ok(server.log.split('a worker died').length > before)
  })

  test('the server ends while somebody reads: the client is told that it was not all', async () => {
    await using second = await startServer({ shares: { open: `${folder.at('open')},public` }, extra: ['--content', '127.0.0.1:0'] })
    const url = `http://${readyWords(second.ready).get('content')}/open/large.bin`
    const download = runCommand('curl', ['--silent', '--limit-rate', '8M', '--output', '/dev/null', url])
    await wait(500)
    assert.equal(await second.stop(), 0)
    // 18: a part only (curl(1)).
    assert.equal((await download).status, 18)
  })
})
