import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '@holdfast/wire'
import { anyFileId, Command, NtStatus } from '../messages/index.ts'
import { SmbError } from './errors.ts'
import { noScope, operations } from './requests.ts'
import { scripted } from './scripted-server.ts'

const echo = { operation: operations.echo, value: {}, scope: noScope }
const large = { ...echo, payloadBytes: 4 * 65_536 }
const code = (expected: string) => (error: unknown) => error instanceof SmbError && error.code === expected
const isCancel = ({ header }: { header: { command: number } }): boolean => header.command === Command.cancel

describe('a connection', { timeout: 20_000 }, () => {
  test('sends no more than there are credits for, in order (MS-SMB2 3.2.4.1.5)', async () => {
    let outstanding = 0
    let most = 0
    await using server = await scripted(({ header }, reply) => {
      most = Math.max(most, ++outstanding)
      setImmediate(() => {
        outstanding--
        reply({ credits: header.messageId === 0n ? 3 : 1 })
      })
    })
    await Promise.all(Array.from({ length: 40 }, () => server.connection.exchange(echo)))
    assert.deepEqual(
      server.seen.map(({ header }) => Number(header.messageId)),
      [...Array(40).keys()],
    )
    assert.equal(most, 3)
  })

  test('a request of several credits takes as many message ids (MS-SMB2 3.2.4.1.3)', async () => {
    await using server = await scripted((_, reply) => reply({ credits: 8 }))
    await server.connection.exchange(echo)
    await server.connection.exchange(large)
    await server.connection.exchange(echo)
    assert.deepEqual(
      server.seen.map(({ header }) => [Number(header.messageId), header.creditCharge]),
      [
        [0, 1],
        [1, 4],
        [5, 1],
      ],
    )
  })

  test('2.0.2 knows no credit charge (MS-SMB2 3.2.4.1.5)', async () => {
    await using server = await scripted((_, reply) => reply({}), { dialect: 0x0202 })
    await server.connection.exchange(large)
    assert.equal(server.seen[0]?.header.creditCharge, 0)
  })

  test('asks for more when there are too few credits, and gives up when there are none to be had', async () => {
    await using generous = await scripted(({ header }, reply) => reply({ credits: header.messageId === 0n ? 4 : 1 }))
    await generous.connection.exchange(large)
    assert.equal(generous.seen.length, 2)
    await using stingy = await scripted((_, reply) => reply({ credits: 1 }))
    await assert.rejects(stingy.connection.exchange(large), code('CREDITS_EXHAUSTED'))
  })

  test('an interim response grants credits and names what a CANCEL is for (MS-SMB2 3.2.5.1.5, 3.2.4.24)', async () => {
    await using server = await scripted((seen, reply) => {
      if (isCancel(seen)) return
      reply({ status: NtStatus.PENDING, asyncId: 77n, credits: 5, body: errorBody })
    })
    const abort = new AbortController()
    const waiting = server.connection.exchange(echo, { signal: abort.signal })
    waiting.catch(() => undefined)
    await sleep(50)
    assert.equal(server.connection.credits.available, 5)
    abort.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    await sleep(50)
    const { header } = server.seen[1]
    // Half of the AsyncId lies where the TreeId is.
    assert.deepEqual([header.command, header.flags & 2, header.processId, header.creditCharge], [Command.cancel, 2, 77, 0])
    assert.equal(header.messageId, 0n)
  })

  test('a request that waits for credits is never sent once it is aborted', async () => {
    let answer = (): void => undefined
    await using server = await scripted((_, reply) => {
      answer = () => reply({ credits: 4 })
    })
    const first = server.connection.exchange(echo)
    const abort = new AbortController()
    const second = server.connection.exchange(echo, { signal: abort.signal })
    abort.abort()
    await assert.rejects(second, { name: 'AbortError' })
    await assert.rejects(server.connection.exchange(echo, { signal: abort.signal }), { name: 'AbortError' })
    await sleep(20)
    answer()
    await first
    assert.equal(server.seen.length, 1)
  })

  test('a silent server is given up in time, whatever waits for it', async () => {
    await using server = await scripted(() => undefined, { timeoutMs: 100 })
    const both = await Promise.allSettled([server.connection.exchange(echo), server.connection.exchange(echo)])
    for (const one of both) assert.ok(one.status === 'rejected' && code('CONNECTION_LOST')(one.reason))
    assert.equal(server.connection.state, 'lost')
    await assert.rejects(server.connection.exchange(echo), code('CONNECTION_LOST'))
  })

  test('a server that waits for something long is asked whether it is still there', async () => {
    await using server = await scripted(
      (seen, reply) => reply(seen.header.messageId === 0n ? { status: NtStatus.PENDING, asyncId: 1n, body: errorBody } : {}),
      {
        timeoutMs: 100,
      },
    )
    server.connection.exchange({ ...echo, path: 'long' }).catch(() => undefined)
    await sleep(400)
    assert.equal(server.connection.state, 'ready')
    assert.ok(server.seen.length >= 3)
  })

  test('a request that a server never answers is given up, although it answers others', async () => {
    await using server = await scripted(({ header }, reply) => void (header.messageId !== 1n && reply({ credits: 3 })), { timeoutMs: 100 })
    await server.connection.exchange(echo)
    const never = server.connection.exchange(echo)
    never.catch(() => undefined)
    for (let i = 0; i < 12; i++) {
      await sleep(50)
      await server.connection.exchange(echo)
    }
    await assert.rejects(never, code('TIMEOUT'))
    assert.equal(server.connection.state, 'ready')
  })

  test('what no message has room for is refused, and leaves no gap in the message ids', async () => {
    await using server = await scripted((_, reply) => reply({}))
    const record = {
      operation: operations.queryDirectory,
      value: { fileInformationClass: 1, fileId: anyFileId, fileName: 'x'.repeat(40_000), outputBufferLength: 100 },
      scope: noScope,
    }
    await assert.rejects(server.connection.exchange(record), UsageError)
    await server.connection.exchange(echo)
    assert.equal(server.seen[0]?.header.messageId, 0n)
  })

  test('everything under way fails at once when the server closes', async () => {
    await using server = await scripted((_, _reply, socket) => socket.destroy())
    await assert.rejects(server.connection.exchange(echo), code('CONNECTION_LOST'))
    assert.equal(server.connection.state, 'lost')
  })

  test('everything under way fails when we close', async () => {
    await using server = await scripted(() => undefined)
    const waiting = server.connection.exchange(echo)
    server.connection.close()
    await assert.rejects(waiting, code('CLOSED'))
    await assert.rejects(server.connection.exchange(echo), code('CLOSED'))
  })

  test('an answer to nothing is discarded (MS-SMB2 3.2.5.1.2)', async () => {
    await using server = await scripted((_, reply) => {
      reply({ messageId: 99n, credits: 500 })
      reply({ command: Command.read })
      reply({ credits: 2 })
    })
    await server.connection.exchange(echo)
    assert.equal(server.connection.credits.available, 2)
  })

  const garbage: Readonly<Record<string, Buffer>> = {
    'no frame': Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    'a frame of nothing known': Buffer.from('0000004441'.padEnd(2 * 0x48, '5a'), 'hex'),
    'an empty frame': Buffer.from('00000000', 'hex'),
    'a header cut off': Buffer.concat([Buffer.from('00000006fe534d424000', 'hex')]),
    'something compressed': Buffer.from(`00000044${'fc534d42'.padEnd(136, '0')}`, 'hex'),
    'something encrypted for nobody': Buffer.from(`00000044${'fd534d42'.padEnd(136, '0')}`, 'hex'),
  }
  for (const [what, bytes] of Object.entries(garbage)) {
    test(`a server that sends ${what} loses the connection`, async () => {
      await using server = await scripted((_, _reply, socket) => socket.write(bytes))
      await assert.rejects(
        server.connection.exchange(echo),
        (error: unknown) => error instanceof SmbError && /MALFORMED|SIGNATURE_INVALID/.test(error.code),
      )
      assert.equal(server.connection.state, 'lost')
    })
  }

  test('a response that breaks the rules rejects its request and loses the connection', async () => {
    await using server = await scripted((_, reply) => reply({ body: Buffer.from([9, 0, 0, 0]) }))
    await assert.rejects(server.connection.exchange(echo), code('MALFORMED'))
    await sleep(10)
    assert.equal(server.connection.state, 'lost')
  })
})

/** ERROR response without data (MS-SMB2 2.2.2). */
const errorBody = Buffer.from([9, 0, 0, 0, 0, 0, 0, 0, 0])
