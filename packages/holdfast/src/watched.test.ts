/** A node as those see it who watch it: /readyz, and its log. */

import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HoldfastServer } from './index.ts'
import { createLogger } from './log.ts'
import { connectDisk0, connectSmb, password, startWholeNode } from './test-support/whole-node.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-watched-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Asks until the answer has that status: it is good for a second. */
async function readiness(
  { http }: HoldfastServer,
  wanted: number,
): Promise<{ readonly status: number; readonly contentType: string | null; readonly body: string }> {
  for (let tries = 0; ; tries++) {
    const response = await fetch(`http://${http[0]}/readyz`)
    const answer = { status: response.status, contentType: response.headers.get('content-type'), body: await response.text() }
    if (answer.status === wanted || tries === 50) return answer
    await sleep(100)
  }
}

test('/readyz says no while the folder of a share is not there, names the share and not the folder, and says yes again', async () => {
  await using server = await startWholeNode(folder)
  assert.deepEqual(await readiness(server, 200), { status: 200, contentType: 'application/json', body: '{"status":"ready"}\n' })
  renameSync(join(folder, 'docs'), join(folder, 'away'))
  const { status, contentType, body } = await readiness(server, 503)
  assert.deepEqual([status, contentType], [503, 'application/problem+json'])
  const { detail, code } = JSON.parse(body) as { readonly detail: string; readonly code: string }
  assert.deepEqual([detail, code], ['share docs: ENOENT', 'UNAVAILABLE'])
  assert.ok(!body.includes(folder))
  renameSync(join(folder, 'away'), join(folder, 'docs'))
  assert.equal((await readiness(server, 200)).status, 200)
})

type Line = Readonly<Record<string, unknown>>

/** A node with something done over both protocols, and the lines of its log at that level. */
async function linesOf(level: string): Promise<Line[]> {
  const lines: Line[] = []
  const log = createLogger({ level, format: 'json', write: line => void lines.push(JSON.parse(line) as Line) })
  await using server = await startWholeNode(folder, { log })
  {
    await using client = await connectSmb(server)
    await using share = await client.share('docs')
    await share.writeFile('a-name-of-somebody', Buffer.alloc(1000, 'x'))
    await using disk = await connectDisk0(server)
    await disk.write(0, Buffer.alloc(4096, 'y'))
  }
  const isThere = (): boolean =>
    lines.some(({ command }) => command === 'write') && lines.some(({ command }) => command === 'WRITE (16)' || command === 'WRITE (10)')
  for (let tries = 0; level === 'debug' && !isThere() && tries < 100; tries++) await sleep(20)
  return lines
}

test('with the level debug the log has the end of each request, over both protocols, with its id, its user and where it went', async () => {
  const lines = await linesOf('debug')
  const write = lines.find(({ command }) => command === 'write')
  assert.match(String(write?.['request']), /^smb\/\d+\/\d+$/)
  assert.deepEqual(
    ['status', 'user', 'share', 'bytes'].map(field => write?.[field]),
    ['STATUS_SUCCESS', 'alice', 'docs', 1000],
  )
  const toDisk = lines.find(({ command }) => /^WRITE \(1[06]\)$/.test(String(command)))
  assert.match(String(toDisk?.['request']), /^iscsi\/\d+\/\d+$/)
  assert.deepEqual(
    ['status', 'user', 'volume', 'bytes'].map(field => toDisk?.[field]),
    ['GOOD', 'alice', 'disk0', 4096],
  )
  const ids = lines.filter(({ msg }) => msg === 'request done' || msg === 'command done').map(({ request }) => request)
  assert.equal(new Set(ids).size, ids.length, 'ids are of one request each')
  const text = JSON.stringify(lines)
  assert.ok(!text.includes(password) && !text.includes('a-name-of-somebody'), 'neither secrets nor names of files')
})

test('with the level info the log has none of them', async () => {
  const lines = await linesOf('info')
  assert.equal(lines.filter(({ msg }) => msg === 'request done' || msg === 'command done').length, 0)
})
