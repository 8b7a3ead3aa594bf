/** The session with curl in docs/management-api.md, as it stands there (S1). */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../run/root.ts'
import { mustRun } from './command.ts'
import { temporaryFolder } from './folder.ts'
import { login } from './management-client.ts'
import { missing } from './packages.ts'
import { startServer } from './server.ts'

test(
  'the session with curl in docs/management-api.md: three requests, one stream without a length, cut and opened again',
  { skip: missing('curl'), timeout: 120_000 },
  async () => {
    const page = readFileSync(join(root, 'docs/management-api.md'), 'utf8')
    const commands = [...page.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block = '']) => block)
    assert.equal(commands.length, 6)
    await using folder = temporaryFolder('management-docs')
    await using server = await startServer({ shares: {}, accounts: [], workers: 2, extra: ['--admin', 'root:Manages-All-1'] })
    const script = ['set -e', ...commands].join('\n').replace('http://127.0.0.1:8080', `http://${server.http.host}:${server.http.port}`)
    await mustRun('bash', ['-c', script], { cwd: folder.path, timeoutMs: 100_000 })

    const receipts = readFileSync(folder.at('receipts.txt'), 'utf8')
    assert.equal(receipts.match(/^HTTP\/1\.1 202 Accepted\r$/gm)?.length, 3)
    assert.equal(receipts.match(/^Connection: close\r$/gm)?.length, 3)
    const operations = [...receipts.matchAll(/"received":true,"operation":"(\w+)"/g)].map(([, operation = '']) => operation)
    assert.deepEqual(
      [...receipts.matchAll(/^Location: \/v1\/operations\/(\w+)\r$/gm)].map(([, operation = '']) => operation),
      operations,
    )

    const head = readFileSync(folder.at('head.txt'), 'utf8')
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n[^]*Content-Type: text\/event-stream\r\n/)
    assert.doesNotMatch(head, /Content-Length|Transfer-Encoding/i)

    const events = readFileSync(folder.at('events.txt'), 'utf8')
    const sequence = [...events.matchAll(/^id: \w+-(\d+)$/gm)].map(([, number]) => Number(number))
    assert.deepEqual(
      sequence,
      sequence.map((_, at) => at + 1),
    )
    const outcomes = [...events.matchAll(/"operation":"(\w+)".*"state":"succeeded"/g)].map(([, operation = '']) => operation)
    assert.equal(outcomes.length, 4)
    assert.deepEqual(outcomes.slice(0, 3).sort(), operations.sort())
    assert.match(events, /\nevent: end\ndata: \{"reason":"logout"\}\n\n$/)
  },
)

test(
  'curl sends content chunked, and waits to be told to send it (RFC 9112 7.1, RFC 9110 10.1.1)',
  { skip: missing('curl'), timeout: 60_000 },
  async () => {
    await using server = await startServer({ shares: {}, accounts: [], workers: 2, entry: join(root, 'testing/peers/management-node.ts') })
    const url = `http://${server.http.host}:${server.http.port}`
    const token = await login(server.http, 'alice', 'Correct-Horse-1')
    const curl = (path: string, ...args: readonly string[]): Promise<string> =>
      mustRun('curl', ['--silent', '--show-error', '--max-time', '30', '--header', `Authorization: Bearer ${token}`, ...args, `${url}${path}`])
    const json = ['--header', 'Content-Type: application/json'] as const
    const body = JSON.stringify({ name: 'disk1', options: Array.from({ length: 90 }, (_, n) => `${n}${'x'.repeat(280)}`) })
    const post = (...args: readonly string[]): Promise<string> =>
      curl('/v1/volumes', ...json, '--data', body, '--write-out', ' %{http_code}', ...args)
    assert.match(await post('--header', 'Transfer-Encoding: chunked'), /"received":true.* 202$/s)
    const verbose = await curl('/v1/volumes', ...json, '--data', body, '--header', 'Expect: 100-continue', '--include')
    assert.match(verbose, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 202 Accepted\r\n/)
    assert.match(await post('--header', 'Expect: 100-continue', '--header', 'Transfer-Encoding: chunked'), / 202$/)
    assert.match(await post('--header', 'Expect: more'), /"code":"MALFORMED".* 417$/s)
    const head = await curl('/v1/volumes', '--head')
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n[^]*Content-Length: \d+\r\n/)
    const tooMuch = 'x'.repeat(100_000)
    assert.match(
      await mustRun('curl', ['--silent', '--max-time', '30', ...json, '--data', '@-', '--write-out', ' %{http_code}', `${url}/v1/login`], {
        stdin: tooMuch,
      }),
      / 413$/,
    )
  },
)
