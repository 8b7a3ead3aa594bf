import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { checkedKerberos } from './kerberos.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-keytab-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A keytab with a key for each principal, `cifs/files` for instance, in a realm. */
function keytab(name: string, realm: string, ...principals: readonly string[]): string {
  const counted = (text: string) => Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)])
  const entries = principals.map(principal => {
    const components = principal.split('/')
    const key = Buffer.from(`00000000000000000100120020${'11'.repeat(32)}`, 'hex')
    const entry = Buffer.concat([Buffer.from([0, components.length]), counted(realm), ...components.map(counted), key])
    const length = Buffer.alloc(4)
    length.writeInt32BE(entry.length)
    return Buffer.concat([length, entry])
  })
  return file(name, Buffer.concat([Buffer.from('0502', 'hex'), ...entries]))
}

function file(name: string, content: Buffer | string, mode = 0o600): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

const refusal = (path: string): string => {
  try {
    checkedKerberos({ keytab: path }, folder)
  } catch (error) {
    assert.ok(error instanceof Error && error.name === 'ConfigError', String(error))
    assert.equal(error.message.includes('\n'), false)
    return error.message
  }
  return assert.fail('it was accepted')
}

test('a keytab that is of no use is told in one line with what to do', () => {
  mkdirSync(join(folder, 'sub'))
  const open = keytab('open', 'R', 'cifs/files')
  chmodSync(open, 0o644)
  const cases: readonly (readonly [string, RegExp])[] = [
    [join(folder, 'nothing'), /is not there; make one with "ktadd/],
    [open, /can be read by everybody.*chmod o=/],
    [file('text', 'no keytab'), /is no keytab/],
    [file('empty', Buffer.from('0502', 'hex')), /has none at all/],
    [keytab('web', 'R', 'HTTP/files', 'alice'), /no key for cifs\/NAME or host\/NAME \(it has "HTTP\/files, alice"\)/],
    [file('long', Buffer.alloc(2 ** 20 + 1)), /is longer than/],
  ]
  for (const [path, expected] of cases) assert.match(refusal(path), expected)
  chmodSync(join(folder, 'sub'), 0o700)
  assert.match(refusal(join(folder, 'sub')), /is a folder/)
})

test("realms are those of the keytab's services, unless they are named", { skip: libraryIsMissing() }, () => {
  const path = keytab('good', 'EXAMPLE.TEST', 'cifs/files', 'host/files', 'SERVER$')
  assert.deepEqual(checkedKerberos({ keytab: path }, folder), { keytab: path, realms: ['EXAMPLE.TEST'] })
  assert.deepEqual(checkedKerberos({ keytab: path, realms: ['A', 'B'] }, folder), { keytab: path, realms: ['A', 'B'] })
})

/** Kerberos' library is the system's, and need not be there. */
function libraryIsMissing(): string | false {
  try {
    checkedKerberos({ keytab: keytab('probe', 'R', 'cifs/files') }, folder)
    return false
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return message.includes('libgssapi') ? message : false
  }
}
