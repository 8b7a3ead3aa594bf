/** The command line's own client, `holdfast ls|cp|cat|rm|mkdir`: against the product, and against Samba. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { runCommand } from './command.ts'
import type { CommandResult } from './command.ts'
import { randomContent, temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { startSamba } from './samba.ts'
import { alice, productMain, startServer } from './server.ts'
import type { Account, Endpoint } from './server.ts'

const mebibyte = 1024 * 1024

/** A server with a share `docs`. */
interface Target extends AsyncDisposable {
  readonly endpoint: Endpoint
  readonly account: Account
  readonly folder: string
}

const targets: readonly { readonly name: string; readonly skip: string | false; start(folder: TemporaryFolder): Promise<Target> }[] = [
  {
    name: 'the product',
    skip: false,
    async start(folder) {
      mkdirSync(folder.at('docs'))
      const server = await startServer({ shares: { docs: folder.at('docs') } })
      return { endpoint: server.smb, account: alice, folder: folder.at('docs'), [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose]() }
    },
  },
  {
    name: "Samba's smbd",
    skip: missing('smbd', 'smbpasswd', 'smbclient', 'samba-vfs-modules', 'root'),
    async start() {
      const samba = await startSamba({ docs: 'full' })
      return {
        endpoint: samba.smb,
        account: samba.accounts[0],
        folder: samba.folderOf('docs'),
        [Symbol.asyncDispose]: async () => samba[Symbol.asyncDispose](),
      }
    },
  },
]

for (const { name, skip, start } of targets) {
  describe(`holdfast ls, cp, cat, rm and mkdir against ${name}`, { skip }, () => {
    let folder: TemporaryFolder
    let target: Target

    before(async () => {
      folder = temporaryFolder('cli')
      mkdirSync(folder.at('local'))
      target = await start(folder)
    })
    after(async () => {
      await target?.[Symbol.asyncDispose]()
      await folder?.[Symbol.asyncDispose]()
    })

    const url = (path: string, user = target.account.user): string => `smb://${user}@${target.endpoint.host}:${target.endpoint.port}/${path}`
    const run = async (args: readonly string[], password = target.account.password): Promise<CommandResult> =>
      runCommand(process.execPath, [productMain, ...args], { env: { HOLDFAST_PASSWORD: password }, cwd: folder.at('local'), timeoutMs: 120_000 })
    const good = async (...args: readonly string[]): Promise<string> => {
      const result = await run(args)
      assert.equal(result.status, 0, `${args.join(' ')}: ${result.stdout}${result.stderr}`)
      return result.stdout
    }

    test('a file goes there, is listed and shown, and comes back', async () => {
      const content = randomContent(300_000)
      writeFileSync(folder.at('local', 'a.bin'), content)
      await good('mkdir', url('docs/folder'))
      await good('cp', 'a.bin', url('docs/folder/b.bin'))
      assert.deepEqual(readFileSync(`${target.folder}/folder/b.bin`), content)
      assert.match(await good('ls', url('docs/folder')), /b\.bin/)
      await good('cp', url('docs/folder/b.bin'), 'c.bin')
      assert.deepEqual(readFileSync(folder.at('local', 'c.bin')), content)
      await good('rm', url('docs/folder/b.bin'))
      assert.equal(existsSync(`${target.folder}/folder/b.bin`), false)
    })

    test('cat writes the bytes as they are', async () => {
      writeFileSync(folder.at('local', 'text'), 'Grüße\n')
      await good('cp', 'text', url('docs/text'))
      assert.equal(await good('cat', url('docs/text')), 'Grüße\n')
    })

    test('ls --json writes a line of JSON for each entry', async () => {
      const lines = (await good('ls', '--json', url('docs'))).trimEnd().split('\n')
      const entries = lines.map(line => JSON.parse(line) as { path: string; kind: string; sizeBytes: number })
      assert.deepEqual(entries.map(({ path, kind }) => `${kind} ${path}`).toSorted(), ['file text', 'folder folder'])
      assert.equal(entries.find(({ path }) => path === 'text')?.sizeBytes, Buffer.byteLength('Grüße\n'))
    })

    test('ls without a share lists the shares', async () => {
      assert.match(await good('ls', url('')), /^docs/m)
    })

    test('64 MiB go there and back unchanged', async () => {
      const content = randomContent(64 * mebibyte)
      writeFileSync(folder.at('local', 'big'), content)
      await good('cp', 'big', url('docs/big'))
      await good('cp', url('docs/big'), 'big.back')
      assert.ok(readFileSync(folder.at('local', 'big.back')).equals(content))
      await good('rm', url('docs/big'))
    })

    test('a tree of folders goes there, comes back and is removed', async () => {
      for (const [index, path] of ['tree', 'tree/a', 'tree/a/b', 'tree/c'].entries()) {
        mkdirSync(folder.at('local', path))
        for (let file = 0; file < 10; file++) writeFileSync(folder.at('local', path, `file-${file}`), randomContent(index * 1000 + file))
      }
      await good('cp', '-r', 'tree', url('docs/tree'))
      await good('cp', '-r', url('docs/tree'), 'tree.back')
      for (const path of ['tree/file-3', 'tree/a/file-0', 'tree/a/b/file-9', 'tree/c/file-1']) {
        assert.deepEqual(readFileSync(folder.at('local', path.replace('tree', 'tree.back'))), readFileSync(folder.at('local', path)))
      }
      await good('rm', '-r', url('docs/tree'))
      assert.equal(existsSync(`${target.folder}/tree`), false)
    })

    const failures: readonly (readonly [what: string, args: (own: typeof url) => string[]])[] = [
      ['a file that is not there', own => ['cat', own('docs/nothing')]],
      ['a folder that is taken', own => ['mkdir', own('docs/folder')]],
      ['a share that is not there', own => ['ls', own('nowhere')]],
      ['an unknown user', own => ['ls', own('docs', 'nobody-here')]],
    ]
    for (const [what, args] of failures) {
      test(`${what}: one line on stderr, exit status 1`, async () => {
        const { status, stdout, stderr } = await run(args(url))
        assert.deepEqual({ status, stdout, lines: stderr.trimEnd().split('\n').length }, { status: 1, stdout: '', lines: 1 }, stderr)
      })
    }

    test('a wrong password: exit status 1, and the password is not printed', async () => {
      const { status, stdout, stderr } = await run(['ls', url('docs')], 'Wrong-Secret-9')
      assert.equal(status, 1, stderr)
      assert.doesNotMatch(stdout + stderr, /Wrong-Secret-9/)
    })
  })
}
