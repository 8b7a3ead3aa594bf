import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { randomContent, temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { alice, startServer } from './server.ts'
import type { Server } from './server.ts'
import { dialects, smbclient, smbclientList } from './smbclient.ts'
import type { SmbclientOptions, SmbclientResult } from './smbclient.ts'

const mebibyte = 1024 * 1024
const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

describe("Samba's smbclient against the product", { skip: missing('smbclient') }, () => {
  let folder: TemporaryFolder
  let server: Server

  before(async () => {
    folder = temporaryFolder('smbclient')
    for (const name of ['docs', 'locked', 'local']) mkdirSync(folder.at(name))
    server = await startServer({ shares: { docs: folder.at('docs'), locked: `${folder.at('locked')},encrypt` } })
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  /** Runs commands on share `docs` as alice. */
  const run = async (commands: readonly string[], more: Partial<SmbclientOptions> = {}): Promise<SmbclientResult> =>
    smbclient({ endpoint: server.smb, share: 'docs', account: alice, commands, cwd: folder.at('local'), ...more })

  /** Runs commands and expects that none of them fails. */
  const expectGood = async (commands: readonly string[], more: Partial<SmbclientOptions> = {}): Promise<string> => {
    const result = await run(commands, more)
    assert.deepEqual({ status: result.status, nt: result.ntStatus }, { status: 0, nt: undefined }, result.stdout + result.stderr)
    return result.stdout
  }

  /** Everything a person does in an afternoon; leaves the share empty. */
  const afternoon = async (more: Partial<SmbclientOptions>): Promise<void> => {
    const name = `${more.dialect ?? 'any'}-${more.protection ?? 'sign'}`
    const content = randomContent(300_000)
    writeFileSync(folder.at('local', name), content)
    const listing = await expectGood(
      [`put ${name} a.bin`, 'mkdir sub', 'rename a.bin sub\\b.bin', 'ls sub\\*', `get sub\\b.bin ${name}.back`, 'allinfo sub\\b.bin'],
      more,
    )
    assert.match(listing, /b\.bin +A? +300000 /)
    assert.deepEqual(readFileSync(folder.at('local', `${name}.back`)), content)
    assert.deepEqual(readFileSync(folder.at('docs', 'sub', 'b.bin')), content)
    await expectGood(['del sub\\b.bin', 'rmdir sub', 'ls'], more)
    assert.deepEqual(readdirSync(folder.at('docs')), [])
  }

  for (const protection of ['sign', 'encrypt'] as const) {
    test(`lists, puts, gets, renames and deletes with protection ${protection}`, async () => afternoon({ protection }))

    test(`a 64 MiB file comes back with the same SHA-256, protection ${protection}`, async () => {
      const local = folder.at('local', `big-${protection}`)
      writeFileSync(local, randomContent(64 * mebibyte))
      await expectGood([`put big-${protection} big`, `get big big-${protection}.back`], { protection, timeoutMs: 120_000 })
      assert.equal(sha256(`${local}.back`), sha256(local))
      assert.equal(sha256(folder.at('docs', 'big')), sha256(local))
      await expectGood(['del big'])
    })
  }

  for (const dialect of dialects) {
    test(`speaks ${dialect} (MS-SMB2 2.2.3)`, async () => afternoon({ dialect }))
  }

  for (const dialect of ['SMB3_00', 'SMB3_02'] as const) {
    test(`encrypts in ${dialect} (MS-SMB2 3.1.4.3)`, async () => afternoon({ dialect, protection: 'encrypt' }))
  }

  test('a client that does not ask for signing is served as well', async () => afternoon({ protection: 'plain' }))

  test('lists its shares (MS-SRVS 3.1.4.8)', async () => {
    const { stdout, ntStatus } = await smbclientList({ endpoint: server.smb, account: alice })
    assert.equal(ntStatus, undefined)
    assert.match(stdout, /^Disk\|docs\|/m)
    assert.match(stdout, /^Disk\|locked\|/m)
    assert.match(stdout, /^IPC\|IPC\$\|/m)
  })

  test('a share with the option encrypt is usable with encryption (MS-SMB2 2.2.10)', async () => {
    await expectGood(['mkdir x', 'ls', 'rmdir x'], { share: 'locked' })
  })

  test('a share with the option encrypt refuses a client that cannot encrypt (MS-SMB2 3.3.5.7)', async () => {
    const { ntStatus } = await run(['ls'], { share: 'locked', dialect: 'SMB2_10' })
    assert.equal(ntStatus, 'NT_STATUS_ACCESS_DENIED')
  })

  test('names keep their case and are found in any other (MS-FSA 2.1.5.1.1)', async () => {
    await expectGood(['mkdir Straße', 'mkdir Straße\\日本語', 'put big-sign Straße\\日本語\\ReadMe.TXT', 'get straße\\日本語\\README.txt case.back'])
    assert.ok(existsSync(folder.at('docs', 'Straße', '日本語', 'ReadMe.TXT')))
    await expectGood(['deltree Straße'])
  })

  test('a folder is asked for a file by its short name, too (MS-FSA 2.1.5.6.3)', async () => {
    writeFileSync(folder.at('docs', 'a long name.html'), '')
    const shortName = /altname: (\S+~\S+)/.exec(await expectGood(['allinfo "a long name.html"']))?.[1]
    assert.ok(shortName !== undefined)
    assert.match(await expectGood([`ls ${shortName}`]), /a long name\.html/)
    assert.equal((await run([`ls ${shortName.replace('~', '_')}`])).ntStatus, 'NT_STATUS_NO_SUCH_FILE')
    await expectGood(['del "a long name.html"'])
  })

  test('what changes on disk is what the next listing shows', async () => {
    writeFileSync(folder.at('docs', 'made-outside.txt'), 'hello')
    assert.match(await expectGood(['ls']), /made-outside\.txt +[A-Z]* +5 /)
    await expectGood(['del made-outside.txt'])
    assert.equal(existsSync(folder.at('docs', 'made-outside.txt')), false)
  })

  test('a folder of 3,000 entries is listed whole', async () => {
    mkdirSync(folder.at('docs', 'many'))
    for (let index = 0; index < 3000; index++) writeFileSync(folder.at('docs', 'many', `file-${index}`), '')
    const listing = await expectGood(['ls many\\*'])
    assert.equal(new Set(listing.match(/file-\d+/g)).size, 3000)
    await expectGood(['deltree many'])
  })

  test('a tree of folders goes there and back', async () => {
    for (let index = 0; index < 40; index++) {
      mkdirSync(folder.at('local', 'tree', `folder-${index % 8}`), { recursive: true })
      writeFileSync(folder.at('local', 'tree', `folder-${index % 8}`, `file-${index}`), randomContent(index * 977))
    }
    mkdirSync(folder.at('local', 'back'))
    await expectGood(['recurse ON', 'prompt OFF', 'mput tree', 'lcd back', 'mget tree'])
    for (let index = 0; index < 40; index++) {
      const path = ['tree', `folder-${index % 8}`, `file-${index}`]
      assert.deepEqual(readFileSync(folder.at('local', 'back', ...path)), readFileSync(folder.at('local', ...path)))
    }
    await expectGood(['deltree tree'])
  })

  test('eight clients at the same time do not disturb each other', async () => {
    const one = async (index: number): Promise<void> => {
      const name = `parallel-${index}`
      writeFileSync(folder.at('local', name), randomContent(4 * mebibyte))
      await expectGood([`put ${name}`, `get ${name} ${name}.back`, `del ${name}`], { protection: index % 2 === 0 ? 'sign' : 'encrypt' })
      assert.equal(sha256(folder.at('local', `${name}.back`)), sha256(folder.at('local', name)))
    }
    await Promise.all(Array.from({ length: 8 }, async (_, index) => one(index)))
  })

  test('SIGTERM ends the server with status 0', async () => {
    assert.equal(await server.stop(), 0, server.log.slice(-2000))
  })
})
