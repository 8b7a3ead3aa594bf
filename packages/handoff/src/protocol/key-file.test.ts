import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readKeyFile } from './key-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-key-'))
after(() => rmSync(folder, { recursive: true }))

let count = 0
function fileWith(content: string | Buffer, mode = 0o600): string {
  const path = join(folder, `key-${count++}`)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

const key = Buffer.from(Array.from({ length: 33 }, (_, i) => (i * 37 + 200) & 0xff))

test('a key file is hex, base64 in either alphabet, binary or text', () => {
  const contents: readonly [string | Buffer, Buffer][] = [
    [key.toString('hex'), key],
    [`${key.toString('hex').toUpperCase()}\n`, key],
    [`${key.toString('base64')}\n`, key],
    [key.toString('base64url'), key],
    [key.toString('hex').replaceAll(/(.{16})/g, '$1\n'), key],
    [key, key],
    [Buffer.concat([key, Buffer.from('\n')]), Buffer.concat([key, Buffer.from('\n')])],
    ['correct horse battery staple and more\n', Buffer.from('correct horse battery staple and more')],
    // Base64 of fewer bytes than a key has, but long enough as it stands.
    [`${'A'.repeat(32)}\r\n`, Buffer.from('A'.repeat(32))],
  ]
  for (const [content, expected] of contents) assert.deepEqual(readKeyFile(fileWith(content)), expected, String(content))
})

test('what is too short, too long, or for others to read is refused, in words that say what to do', () => {
  const refused: readonly [string, RegExp][] = [
    [fileWith('short\n'), /holds 5 bytes, 32 are the least; for a new one: head/],
    [fileWith(''), /holds 0 bytes/],
    [fileWith(Buffer.alloc(5000)), /has 5000 bytes/],
    [fileWith(key, 0o640), /others than its owner have rights to it; chmod 600/],
    [fileWith(key, 0o604), /chmod 600/],
    [join(folder, 'missing'), /can't be read \(ENOENT\)/],
    [folder, /is no file/],
  ]
  for (const [path, message] of refused) assert.throws(() => readKeyFile(path), { name: 'UsageError', code: 'key-file', message })
})
