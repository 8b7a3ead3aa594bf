import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { watchRoutes } from './routes-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-routes-'))
after(() => rmSync(folder, { recursive: true }))

test('a routes file is read again when it changes, in place or by rename; a bad one leaves the table as it was and says so', async () => {
  const file = join(folder, 'routes')
  writeFileSync(file, '/ 10.0.0.1:7001\n')
  const told: string[] = []
  let wake = (): void => {}
  const tell = (what: string): void => {
    told.push(what)
    wake()
  }
  const next = async (): Promise<string> => {
    if (told.length === 0) {
      // The watcher alone does not keep the process running.
      const alive = setInterval(() => {}, 1000)
      await new Promise<void>(resolve => (wake = resolve))
      clearInterval(alive)
    }
    return told.shift() ?? ''
  }
  const watch = watchRoutes({ file, onChange: routes => tell(routes.map(route => route.agents).join(' ')), onError: tell, intervalMs: 10 })
  after(() => watch.close())
  assert.equal(await next(), '10.0.0.1:7001')
  writeFileSync(file, '/ 10.0.0.2:7001\n')
  assert.equal(await next(), '10.0.0.2:7001')
  writeFileSync(file, '/ nobody\n')
  assert.match(await next(), /routes:1: nobody is no address .*; the routes stay as they were$/)
  writeFileSync(`${file}.new`, '/ 10.0.0.3:7001\n')
  renameSync(`${file}.new`, file)
  assert.equal(await next(), '10.0.0.3:7001')
  rmSync(file)
  assert.match(await next(), /can't be read \(ENOENT\); the routes stay/)
})

test('a file that is not good at the start is an error', () => {
  const options = { onChange: () => assert.fail('no table'), onError: () => assert.fail('no message') }
  assert.throws(() => watchRoutes({ file: join(folder, 'missing'), ...options }), { code: 'bad-routes', message: /can't be read \(ENOENT\)/ })
})
