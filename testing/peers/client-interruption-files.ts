/** Sequences of operations that must come out exactly once, wherever the connection is cut. */
import assert from 'node:assert/strict'
import type { SmbFile, SmbShare } from '@holdfast/smb/client'
import { code } from './smb-client-target.ts'

/** FILE_CREATED (MS-SMB2 2.2.14). */
const created = 2
/** A file that is there before. */
export const taken = 'taken'
const bytes = (text: string): Buffer => Buffer.from(text)

async function contentOf(file: SmbFile): Promise<string> {
  const target = Buffer.alloc(100)
  return target.toString('latin1', 0, await file.read(target, 0))
}

/** Operations by their name; each works in a folder of its own, which it leaves empty, and rejects when something is done twice or not at all. */
export const sequences: Readonly<Record<string, (share: SmbShare, folder: string) => Promise<void>>> = {
  async 'create, write, truncate, append'(share, folder) {
    const path = `${folder}/file`
    {
      await using file = await share.open(path, { flags: 'wx+' })
      assert.equal(file.createAction, created)
      await Promise.all([file.write(bytes('hello'), 0), file.write(bytes(' world'), 5)])
      await file.truncate(8)
      await file.flush()
      assert.equal(await contentOf(file), 'hello wo')
      await file.close()
    }
    for (let i = 0; i < 2; i++) {
      await using file = await share.open(path, { flags: 'a' })
      assert.equal(file.sizeBytes, 8 + i)
      await file.write(bytes('!'), file.sizeBytes)
    }
    assert.equal(String(await share.readFile(path)), 'hello wo!!')
    await share.remove(path)
  },

  async 'exclusive create of what is there, and of what is not'(share, folder) {
    const path = `${folder}/file`
    await assert.rejects(share.open(taken, { flags: 'wx' }), code('EEXIST'))
    await using file = await share.open(path, { flags: 'wx' })
    assert.equal(file.createAction, created)
    await file.close()
    await assert.rejects(share.open(path, { flags: 'wx' }), code('EEXIST'))
    await share.remove(path)
  },

  async 'lock, unlock'(share, folder) {
    const path = `${folder}/file`
    await using file = await share.open(path, { flags: 'w+' })
    const range = { offset: 10, lengthBytes: 10 }
    await file.lock(range)
    // It is locked once: the same open cannot lock it once more (EAGAIN), and unlocks it once. (After a lock that it refused, smbd keeps no open.)
    await file.write(bytes('locked'), 10)
    await file.unlock(range)
    await file.lock(range)
    await file.unlock(range)
    await assert.rejects(file.unlock(range), code('ENOLCK'))
    await file.close()
    await share.remove(path)
  },

  async rename(share, folder) {
    const [a, b, c] = [`${folder}/a`, `${folder}/b`, `${folder}/c`]
    await share.writeFile(a, 'content of a')
    await share.rename(a, b)
    await assert.rejects(share.rename(a, c), code('ENOENT'))
    await share.writeFile(a, 'another')
    await assert.rejects(share.rename(a, b), code('EEXIST'))
    await share.rename(a, b, { replace: true })
    assert.equal(String(await share.readFile(b)), 'another')
    assert.deepEqual(await Array.fromAsync(share.list(folder), ({ name }) => name), ['b'])
    await share.remove(b)
  },

  async 'folders, listing, attributes'(share, folder) {
    await share.mkdir(`${folder}/sub/sub`, { recursive: true })
    await share.writeFile(`${folder}/sub/file`, 'x')
    {
      await using file = await share.open(`${folder}/sub/file`, { flags: 'r+' })
      const writtenAt = new Date(1_700_000_000_000)
      await file.setAttributes({ writtenAt })
      assert.deepEqual((await file.stat()).writtenAt, writtenAt)
      await file.close()
    }
    assert.deepEqual((await Array.fromAsync(share.list(`${folder}/sub`), ({ name }) => name)).sort(), ['file', 'sub'])
    await share.removeFolder(`${folder}/sub`, { recursive: true })
    assert.equal(await share.exists(`${folder}/sub`), false)
  },
}
