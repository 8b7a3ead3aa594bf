import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { TemporaryFolder } from '../../test-support/folder.ts'
import { sqliteStore } from './sqlite.ts'

const writer = fileURLToPath(new URL('../../test-support/crash-writer.ts', import.meta.url))
const kills = 6

/** Runs the writer until it has had so many answers, then kills it; resolves to what was answered. */
function writeAndKill(path: string, { synchronous, begin, answers }: { synchronous: string; begin: number; answers: number }): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [writer, path, synchronous, String(begin)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text
      if (printed.split('\n').length > answers) child.kill('SIGKILL')
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve(printed.split('\n').slice(0, -1).map(Number))
      else reject(new Error(`the writer ended with ${code}`))
    })
  })
}

/** Numbers of the transactions whose second half is there, and integrity as SQLite sees it. */
async function inspect(path: string): Promise<{ present: Set<number>; halves: Set<number> }> {
  const store = await sqliteStore({ path })
  const ids = async (prefix: string): Promise<Set<number>> =>
    new Set((await store.range({ prefix })).entries.map(({ key }) => Number(key.slice(prefix.length))))
  const found = { present: await ids('b/'), halves: await ids('a/') }
  await store.close()
  const database = new DatabaseSync(path)
  assert.deepEqual(Object.values(database.prepare('PRAGMA integrity_check').get() ?? {}), ['ok'])
  database.close()
  return found
}

for (const synchronous of ['FULL', 'NORMAL']) {
  test(`${kills} times kill -9 under ${synchronous}: what was answered is there, and no half of a transaction`, { timeout: 120_000 }, async () => {
    using folder = new TemporaryFolder()
    const path = folder.at('store.db')
    const answered = new Set<number>()
    for (let kill = 0; kill < kills; kill++) {
      const ids = await writeAndKill(path, { synchronous, begin: kill * 1_000_000 + 10_000, answers: 40 * (kill + 1) })
      for (const id of ids) answered.add(id)
      const { present, halves } = await inspect(path)
      assert.deepEqual(
        [...answered].filter(id => !present.has(id)),
        [],
      )
      const newest = Math.max(...present)
      assert.deepEqual(
        [...present].filter(id => !halves.has(id) && id > newest - 5000),
        [],
      )
    }
  })
}
