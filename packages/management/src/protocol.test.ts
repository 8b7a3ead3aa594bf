import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection, Message, WorkerNode } from '@holdfast/engine'
import { createManagementProtocol } from './protocol.ts'

test('a request is answered once, its message released with the response, also when metrics come later', async () => {
  let async = 0
  let requests = 0
  const node = {
    counters: { counter: () => ({ add: () => void requests++, set() {} }) },
    beginAsync: () => void async++,
    endAsync: () => void async--,
  } as unknown as WorkerNode
  const sent: string[] = []
  const released: number[] = []
  const connection = {
    allocate: (lengthBytes: number) => Buffer.alloc(lengthBytes),
    send(buffer: Buffer, lengthBytes: number, finishes?: Message) {
      sent.push(buffer.toString('latin1', 0, lengthBytes))
      finishes?.release()
    },
    close() {},
  } as unknown as Connection
  const message = (text: string, number: number) =>
    ({ bytes: Buffer.from(text), orphaned: false, release: () => void released.push(number) }) as Message
  const protocol = createManagementProtocol(node, { metrics: () => Promise.resolve([]), ready: () => true })
  const handler = protocol.accept(connection, new Map())
  handler.onMessage(message('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n', 1))
  assert.equal(async, 1)
  handler.onMessage(message('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n', 2))
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual([sent.length, released, async, requests], [1, [2, 1], 0, 1])
  assert.match(sent[0], /^HTTP\/1\.1 200 OK\r\n/)
})
