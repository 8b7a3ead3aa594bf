import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { ConnectionManager } from './index.ts'
import type { Connection, ConnectionHandler, Framing, Message } from './index.ts'

/** Messages of 4 bytes, and of 8 bytes after `reframe(1)`. */
const framing: Framing = {
  headerBytes: 0,
  leadBytes: 1,
  frameBytes: (_bytes, at, end, variant) => (end - at < 4 * (1 + variant!) ? 0 : 4 * (1 + variant!)),
  writeHeader() {},
}

/** Answers a batch with its messages, in capitals, between brackets; `long` makes later messages longer. */
function gather(connection: Connection): ConnectionHandler {
  let batch: Message[] = []
  return {
    onMessage(message) {
      if (message.bytes.toString() === 'long') connection.reframe(1)
      batch.push(message)
    },
    onBatchEnd() {
      const text = `[${batch.map(message => message.bytes.toString()).join('|')}]`.toUpperCase()
      const buffer = connection.allocate(10 + text.length)
      buffer.write(`unsent....${text}`, 'latin1')
      connection.sendPart(buffer, 10, text.length)
      for (const message of batch) message.release()
      batch = []
    },
    onClose() {},
  }
}

test('what comes in together can be answered with one write, and a worker changes how messages are cut', async () => {
  await using manager = await ConnectionManager.start({ inThread: { gather: { framing, create: () => ({ accept: gather }) } } })
  const { port } = await manager.listen({ protocol: 'gather', framing, distributed: true, host: '127.0.0.1', port: 0 })
  const socket = connect(port, '127.0.0.1')
  const ask = async (text: string): Promise<string> => {
    socket.write(text)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    return answer.toString()
  }
  assert.equal(await ask('one.two.'), '[ONE.|TWO.]')
  assert.equal(await ask('long'), '[LONG]')
  assert.equal(await ask('together'), '[TOGETHER]')
  socket.destroy()
  await once(socket, 'close')
})
