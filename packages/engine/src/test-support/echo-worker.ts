/** A worker module for tests: answers each message according to its first byte. */
import { openSync, readSync } from 'node:fs'
import { runWorker } from '../worker.ts'
import type { Connection, Message, WorkerNode, WorkerProtocol } from '../worker.ts'
import { lengthPrefixed } from './framing.ts'

/** An answer that tells how many there have been: large, so that sockets do not take all of a batch. */
const numberedBytes = 100_000

function echo(node: WorkerNode, config: { file?: string } | undefined): WorkerProtocol {
  const fd = config?.file === undefined ? -1 : openSync(config.file, 'r')
  const messages = node.counters.counter('test_messages_total', 'Messages handled')
  const overwritten = node.counters.counter('test_overwritten_total', 'Messages that changed while they were in work')
  node.register('adder', { add: ([a, b]: [number, number]) => a + b + 100 * node.index })
  return {
    accept(connection: Connection, checkpoints) {
      let count = (checkpoints.get('count') as number | undefined) ?? 0
      const answer = (text: string, finishes: Parameters<Connection['send']>[2]) => {
        const out = connection.allocate(text.length)
        out.write(text, 'latin1')
        connection.send(out, text.length, finishes)
      }
      const gathered: Message[] = []
      let settled = connection.state[0]
      return {
        onBatchEnd() {
          if (gathered.length === 0) return
          const out = connection.allocate(gathered.length * numberedBytes)
          gathered.forEach((_, at) => {
            const frame = out.subarray(at * numberedBytes)
            frame.writeUInt32BE(numberedBytes - 4)
            frame.writeUInt32BE(++settled, 4)
          })
          connection.sendPart(out, 0, out.length, { finishes: gathered.splice(0), state: [settled, 0, 0, 0] })
        },
        onMessage(message) {
          messages.add()
          const kind = String.fromCharCode(message.bytes[0])
          if (kind === 'n') {
            gathered.push(message)
          } else if (kind === 'r') {
            const length = message.bytes.readUInt32LE(1)
            const out = connection.allocate(length)
            readSync(fd, out, 0, length, message.bytes.readUInt32LE(5))
            connection.send(out, length, message)
          } else if (kind === 'c') {
            connection.checkpoint('count', ++count)
            answer(`${count}`, message)
          } else if (kind === 'w') {
            answer(`${node.index}`, message)
          } else if (kind === 'k') {
            connection.known()
            answer('known', message)
          } else if (kind === 'y') {
            connection.stay()
            answer('stays', message)
          } else if (kind === 'm' && node.index === 0) {
            connection.moveTo(1, message)
          } else if (kind === 'a') {
            void node.call(1 - node.index, 'adder', 'add', [1, 2]).then(sum => answer(String(sum), message))
          } else if (kind === 's') {
            setTimeout(() => answer(message.orphaned ? 'orphaned' : 'slept', message), 300)
          } else if (kind === 'v') {
            const before = Buffer.from(message.bytes)
            setTimeout(() => {
              if (!message.bytes.equals(before)) overwritten.add()
              answer('unchanged', message)
            }, 200)
          } else if (kind === 'o' && !message.orphaned) {
            const hoard: unknown[] = []
            for (;;) hoard.push(Array.from({ length: 1000 }, () => Math.random()))
          } else if (kind === 'x' && !message.orphaned) {
            throw new Error('crash on purpose')
          } else {
            const out = connection.allocate(message.bytes.length)
            message.bytes.copy(out)
            connection.send(out, message.bytes.length, message)
          }
        },
        onClose() {},
      }
    },
  }
}

await runWorker({ echo: { framing: lengthPrefixed, create: echo } })
