/** What a client does while its server dies: a script that leaves the same files behind whatever happens, and what it has left. */
import assert from 'node:assert/strict'
import type { SmbFile, SmbShare } from '@holdfast/smb/client'
import { code } from '../peers/smb-client-target.ts'

/** FILE_CREATED, FILE_OPENED (MS-SMB2 2.2.14). */
const created = 2
const opened = 1
const readOnly = 1
const hidden = 2
const bytes = (text: string): Buffer => Buffer.from(text)
const page = { offset: 0, lengthBytes: 4096 }
const writtenAt = new Date(1_700_000_000_000)
const createdAt = new Date(1_600_000_000_000)

async function contentOf(file: SmbFile): Promise<string> {
  const target = Buffer.alloc(1000)
  return target.toString('latin1', 0, await file.read(target, 0))
}

const namesIn = async (share: SmbShare, folder: string): Promise<string[]> => (await Array.fromAsync(share.list(folder), ({ name }) => name)).sort()

/** A file that stays open, locked and half written while everything else happens. */
async function held(share: SmbShare, path: string): Promise<SmbFile> {
  const file = await share.open(path, { flags: 'wx+' })
  assert.deepEqual([file.durability, file.createAction], ['persistent', created])
  await file.lock(page)
  await file.write(bytes('first half'), 0)
  return file
}

async function finish(share: SmbShare, file: SmbFile): Promise<void> {
  await file.write(bytes(', second half'), 10)
  assert.equal(await contentOf(file), 'first half, second half')
  await using other = await share.open(file.path, { flags: 'r+' })
  // Its lock has outlived everything.
  await assert.rejects(other.lock(page), code('EAGAIN'))
  await file.unlock(page)
  await other.lock(page)
  await other.close()
  await file.lock(page)
  await file.close()
}

const steps: readonly ((share: SmbShare, folder: string) => Promise<void>)[] = [
  async function createOnce(share, folder) {
    const path = `${folder}/once`
    await using file = await share.open(path, { flags: 'wx+' })
    assert.equal(file.createAction, created)
    await Promise.all([file.write(bytes('hello'), 0), file.write(bytes(' world'), 5)])
    await file.truncate(8)
    await file.flush()
    assert.equal(await contentOf(file), 'hello wo')
    await file.close()
    await assert.rejects(share.open(path, { flags: 'wx' }), code('EEXIST'))
  },

  async function append(share, folder) {
    for (const [index, word] of ['one', 'two', 'six'].entries()) {
      await using file = await share.open(`${folder}/log`, { flags: 'a' })
      assert.deepEqual([file.createAction, file.sizeBytes], [index === 0 ? created : opened, index * 3])
      await file.write(bytes(word), file.sizeBytes)
      await file.close()
    }
  },

  async function lockAndUnlock(share, folder) {
    await using file = await share.open(`${folder}/locks`, { flags: 'w+' })
    await file.lock({ offset: 0, lengthBytes: 10 })
    await file.lock({ offset: 20, lengthBytes: 10, exclusive: false })
    await file.write(bytes('locked'), 2)
    await file.unlock({ offset: 0, lengthBytes: 10 })
    // A lock that was taken back twice would be gone by now, and one that was taken twice would still be there.
    await assert.rejects(file.unlock({ offset: 0, lengthBytes: 10 }), code('ENOLCK'))
    await file.unlock({ offset: 20, lengthBytes: 10 })
    await file.close()
  },

  async function renameWhatIsOpen(share, folder) {
    const [from, to] = [`${folder}/before`, `${folder}/sub/after`]
    await using file = await share.open(from, { flags: 'wx+' })
    await file.write(bytes('renamed'), 0)
    await share.rename(from, to)
    await file.write(bytes(' while open'), 7)
    await file.close()
    await assert.rejects(share.rename(from, to), code('ENOENT'))
    await share.writeFile(from, 'in the way')
    await assert.rejects(share.rename(from, to), code('EEXIST'))
    await share.remove(from)
  },

  async function setInformation(share, folder) {
    await using file = await share.open(`${folder}/dated`, { flags: 'wx+' })
    await file.write(bytes('long ago'), 0)
    await file.setAttributes({ writtenAt, createdAt, attributes: hidden | readOnly })
    const stat = await file.stat()
    assert.deepEqual([stat.writtenAt, stat.createdAt], [writtenAt, createdAt])
    await file.close()
  },

  async function deleteOnClose(share, folder) {
    const path = `${folder}/scratch`
    {
      await using file = await share.open(path, { flags: 'wx', deleteOnClose: true })
      await file.write(bytes('for a moment'), 0)
      await file.close()
    }
    assert.equal(await share.exists(path), false)
    // There is room for another one of that name.
    await using file = await share.open(path, { flags: 'wx', deleteOnClose: true })
    await file.close()
  },

  async function folders(share, folder) {
    await share.mkdir(`${folder}/deep/deeper`, { recursive: true })
    await share.writeFile(`${folder}/deep/deeper/leaf`, 'leaf')
    await share.writeFile(`${folder}/deep/gone`, 'gone')
    await share.rename(`${folder}/deep/deeper`, `${folder}/deep/down`)
    await share.remove(`${folder}/deep/gone`)
    assert.deepEqual(await namesIn(share, `${folder}/deep`), ['down'])
  },
]

/** The whole script, in a folder that is there and empty. Rejects with what its caller must never see. */
export async function workload(share: SmbShare, folder: string): Promise<void> {
  await share.mkdir(`${folder}/sub`, { recursive: true })
  const file = await held(share, `${folder}/held`)
  try {
    for (const step of steps) await step(share, folder)
    await finish(share, file)
  } finally {
    await file.close().catch(() => undefined)
  }
  assert.deepEqual(await namesIn(share, folder), ['dated', 'deep', 'held', 'locks', 'log', 'once', 'sub'])
}
