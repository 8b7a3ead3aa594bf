import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { mustRun } from './command.ts'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { alice, startServer } from './server.ts'
import type { Server } from './server.ts'
import { smbclient } from './smbclient.ts'

describe('health and metrics over curl', { skip: missing('curl', 'smbclient') }, () => {
  let folder: TemporaryFolder
  let server: Server

  before(async () => {
    folder = temporaryFolder('http')
    mkdirSync(folder.at('docs'))
    server = await startServer({ shares: { docs: folder.at('docs') }, extra: ['--metrics', 'open'] })
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  const curl = async (path: string, ...args: readonly string[]): Promise<string> =>
    mustRun('curl', ['--silent', '--show-error', '--max-time', '10', ...args, `http://${server.http.host}:${server.http.port}${path}`])
  const statusOf = async (path: string): Promise<string> => curl(path, '--output', '/dev/null', '--write-out', '%{http_code}')

  test('/healthz answers 200', async () => {
    assert.equal(await statusOf('/healthz'), '200')
  })

  test('/readyz answers 200 once the ready line is out', async () => {
    assert.equal(await statusOf('/readyz'), '200')
  })

  test('an unknown path answers 404', async () => {
    assert.equal(await statusOf('/no/such/page'), '404')
  })

  test('two requests on one connection are answered', async () => {
    const url = `http://${server.http.host}:${server.http.port}/healthz`
    const codes = await mustRun('curl', ['--silent', '--max-time', '10', '-o', '/dev/null', '-o', '/dev/null', '-w', '%{http_code} ', url, url])
    assert.equal(codes.trim(), '200 200')
  })

  test('/metrics is Prometheus text whose counters move with what clients do', async () => {
    const sum = (text: string): number =>
      text
        .split('\n')
        .filter(line => line !== '' && !line.startsWith('#'))
        .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0)
    const before = await curl('/metrics')
    assert.match(before, /^# HELP holdfast_\w+ /m)
    assert.match(before, /^# TYPE holdfast_\w+ (counter|gauge|histogram)$/m)
    for (const line of before.split('\n')) assert.match(line, /^$|^#|^[a-zA-Z_:][\w:]*(\{[^}]*\})? -?[\d.e+-]+(Inf|NaN)?$/)
    await smbclient({ endpoint: server.smb, share: 'docs', account: alice, commands: ['mkdir a', 'ls', 'rmdir a'] })
    assert.notEqual(sum(await curl('/metrics')), sum(before))
  })
})
