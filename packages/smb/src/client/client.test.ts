import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { UsageError } from '@holdfast/wire'
import { SmbClient } from './client.ts'
import type { SmbClientOptions } from './client.ts'
import { smbErrorCode, statusError } from './errors.ts'

const options: SmbClientOptions = { host: '127.0.0.1', user: 'alice', password: 'secret' }

/** A server that accepts and says nothing. */
async function silent(): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer(socket => void socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}

describe('SmbClient.connect', { timeout: 10_000 }, () => {
  test('refuses options that make no sense, before it connects', async () => {
    const wrong: Record<string, Partial<SmbClientOptions>> = {
      host: { host: '' },
      port: { port: 0 },
      user: { user: '' },
      timeoutMs: { timeoutMs: 0 },
      credits: { credits: 0 },
      signing: { signing: 'never' as never },
      encrypt: { encrypt: 'yes' as never },
      dialects: { dialects: ['1.0' as never] },
      ciphers: { ciphers: [] },
      signingAlgorithms: { signingAlgorithms: ['MD5' as never] },
    }
    for (const [code, more] of Object.entries(wrong)) {
      await assert.rejects(SmbClient.connect({ ...options, ...more }), (error: unknown) => error instanceof UsageError && error.code === code, code)
    }
  })

  test('a server that says nothing is given up in time', async () => {
    await using server = await silent()
    await assert.rejects(SmbClient.connect({ ...options, port: server.port, timeoutMs: 100 }), { code: 'CONNECTION_LOST' })
  })

  test('a signal ends it', async () => {
    await using server = await silent()
    await assert.rejects(SmbClient.connect({ ...options, port: server.port, signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' })
    await assert.rejects(SmbClient.connect({ ...options, port: server.port, signal: AbortSignal.abort() }), { name: 'AbortError' })
  })
})

test('an error has a stable code, the status and its name (MS-ERREF 2.3.1)', () => {
  const { code, status, statusName, path, message } = statusError(0xc0000022, 'CREATE', 'a/b')
  assert.deepEqual({ code, status, statusName, path }, { code: 'EACCES', status: 0xc0000022, statusName: 'STATUS_ACCESS_DENIED', path: 'a/b' })
  assert.equal(message, "CREATE 'a/b': STATUS_ACCESS_DENIED")
  assert.equal(smbErrorCode(0xc0001234), 'EIO')
})
