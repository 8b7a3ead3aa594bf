import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isCached } from '@holdfast/posix'
import { ConnectionManager } from '../index.ts'
import type { Connection, ConnectionHandler, FilePiece, Message } from '../index.ts'
import { lengthPrefixed } from '../test-support/framing.ts'

const folder = mkdtempSync(join(tmpdir(), 'files-'))
after(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'content')
const content = randomBytes(1 << 20)
writeFileSync(path, content)
const fd = openSync(path, 'r+')
after(() => closeSync(fd))

const headBytes = 12
const pieceBytes = 65_536
/** Asks for an answer without a file. */
const inMemory = 255

/** Asks for all of the file as one frame, sent as the client takes it. */
const whole = 254

/** What of the file has been sent is the first word of the state. */
function sendWhole(connection: Connection, message: Message): { onDrain(): void } {
  const head = connection.allocate(4)
  head.writeUInt32BE(content.length)
  connection.sendPart(head, 0, 4)
  let sent = 0
  const step = (): void => {
    while (sent < content.length && connection.unsentBytes === 0) {
      // The last bytes end the request.
      const left = content.length - pieceBytes - sent
      const bytes = left > 0 ? connection.sendFile({ descriptor: fd, offset: sent, lengthBytes: left }, 0) : 0
      sent += bytes
      if (bytes > 0 && bytes < left) continue
      const lengthBytes = Math.min(pieceBytes, content.length - sent)
      const part = connection.allocate(lengthBytes)
      const isLast = sent + lengthBytes === content.length
      const settles = { state: [sent + lengthBytes, 0, 0, 0], ...(isLast && { finishes: [message] }) }
      connection.sendPart(part, 0, lengthBytes, settles, [{ at: 0, lengthBytes, descriptor: fd, offset: sent }])
      sent += lengthBytes
      assert.equal(connection.state[0], sent)
    }
  }
  step()
  return { onDrain: step }
}

/** Answers a request for a number of pieces with a frame for each: a head in memory, a piece of the file, and a byte in memory. */
function fileServer(connection: Connection): ConnectionHandler {
  let sending: ReturnType<typeof sendWhole> | undefined
  return {
    onDrain: () => sending?.onDrain(),
    onMessage(message) {
      const count = message.bytes.readUInt8(0)
      if (count === whole) {
        sending = sendWhole(connection, message)
        return
      }
      if (count === inMemory) {
        const out = connection.allocate(5)
        connection.send(out.fill(0xdd), 5, message)
        return
      }
      const frameBytes = 4 + headBytes + pieceBytes + 1
      const out = connection.allocate(count * frameBytes)
      // What an earlier answer had there must never be seen.
      out.fill(0xee)
      const files: FilePiece[] = []
      for (let i = 0; i < count; i++) {
        const at = i * frameBytes
        out.writeUInt32BE(frameBytes - 4, at)
        out.fill(0, at + 4, at + 4 + headBytes)
        out.writeUInt32BE(i, at + 4)
        files.push({ at: at + 4 + headBytes, lengthBytes: pieceBytes, descriptor: fd, offset: (i * 4099) % (content.length - pieceBytes) })
        out[at + frameBytes - 1] = i
      }
      connection.sendPart(out, 0, count * frameBytes, { finishes: [message] }, files)
    },
    onClose() {},
  }
}

async function start() {
  const manager = await ConnectionManager.start({ inThread: { files: { framing: lengthPrefixed, create: () => ({ accept: fileServer }) } } })
  const { port } = await manager.listen({ protocol: 'files', framing: lengthPrefixed, distributed: true, host: '127.0.0.1', port: 0 })
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return { manager, socket }
}

const ask = (socket: Socket, count: number): void => void socket.write(Buffer.from([0, 0, 0, 1, count]))

async function receive(socket: Socket, lengthBytes: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  while (bytes < lengthBytes) {
    const part = socket.read() as Buffer | null
    if (part === null) {
      await once(socket, 'readable')
      continue
    }
    parts.push(part)
    bytes += part.length
  }
  return Buffer.concat(parts)
}

function expected(count: number): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, i) => {
      const head = Buffer.alloc(4 + headBytes)
      head.writeUInt32BE(headBytes + pieceBytes + 1)
      head.writeUInt32BE(i, 4)
      const from = (i * 4099) % (content.length - pieceBytes)
      return Buffer.concat([head, content.subarray(from, from + pieceBytes), Buffer.from([i])])
    }),
  )
}

test('pieces of files go out in their places, at once and by way of the manager where the client is slow', async () => {
  const { manager, socket } = await start()
  await using _ = manager
  for (const count of [1, 3, 100]) {
    ask(socket, count)
    assert.ok((await receive(socket, expected(count).length)).equals(expected(count)))
  }
  // More than any socket's buffers take, before anything is read.
  const rounds = [100, 1, 100, 2, 100, 100]
  for (const count of rounds) ask(socket, count)
  await sleep(300)
  const all = Buffer.concat(rounds.map(expected))
  assert.ok((await receive(socket, all.length)).equals(all))
  assert.ok(manager.snapshot().some(({ name, value }) => name === 'holdfast_manager_writes_total' && value > 0))
  socket.destroy()
})

test('a file goes out as the client takes it, and it is known how much that was', async () => {
  const { manager, socket } = await start()
  await using _ = manager
  const frame = Buffer.alloc(4)
  frame.writeUInt32BE(content.length)
  const all = Buffer.concat([frame, content])
  for (let round = 0; round < 20; round++) {
    ask(socket, whole)
    if (round % 4 === 0) await sleep(20)
    assert.ok((await receive(socket, all.length)).equals(all))
  }
  socket.destroy()
})

test('a file that has become shorter ends the connection, and nothing of what the memory had is sent', async () => {
  const { manager, socket } = await start()
  await using _ = manager
  ftruncateSync(fd, 4096)
  try {
    // What followed would be taken for the rest.
    for (const count of [3, inMemory, inMemory]) ask(socket, count)
    const parts: Buffer[] = []
    for await (const part of socket) parts.push(part as Buffer)
    const got = Buffer.concat(parts)
    assert.ok(got.length < expected(3).length)
    assert.ok(got.equals(expected(1).subarray(0, got.length)))
  } finally {
    writeSync(fd, content, 0, content.length, 0)
  }
})

test('what is in memory is known to be, holes and what lies behind the end are not (cachestat(2))', t => {
  const read = Buffer.alloc(content.length)
  readSync(fd, read, 0, read.length, 0)
  if (!isCached(fd, 0, 4096)) return t.skip('this kernel does not tell (Linux 6.5)')
  assert.ok(isCached(fd, 4095, 2))
  assert.ok(isCached(fd, 0, content.length))
  assert.ok(!isCached(fd, content.length - 4096, 8192))
  ftruncateSync(fd, 2 * content.length)
  assert.ok(!isCached(fd, content.length, 65_536))
})
