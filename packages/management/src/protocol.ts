/** The management application as a protocol of the engine: a non-distributed session per request. */

import type { Connection, Message, WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { createManagementApp, type ManagementOptions } from './app.ts'

/**
 * Listen for it with `httpFraming` and `distributed: false`: the connection ends with the response.
 *
 * @example
 * await runWorker({ http: { framing: httpFraming, create: node => createManagementProtocol(node, { metrics: () => [], ready: () => true }) } })
 */
export function createManagementProtocol(node: WorkerNode, options: ManagementOptions): WorkerProtocol {
  const app = createManagementApp(options)
  const requests = node.counters.counter('holdfast_http_requests_total', 'HTTP requests answered')
  return {
    accept(connection) {
      let answered = false
      return {
        onMessage(message) {
          // What comes behind the first request (a body, pipelining) has no answer any more.
          if (answered) return message.release()
          const response = app.handle(message.bytes)
          if (response === undefined) {
            message.release()
            return connection.close('not a request')
          }
          answered = true
          requests.add()
          if (Buffer.isBuffer(response)) return send(connection, response, message)
          node.beginAsync()
          void response.then(bytes => send(connection, bytes, message)).finally(() => node.endAsync())
        },
        onClose() {},
      }
    },
  }
}

function send(connection: Connection, response: Buffer, message: Message): void {
  const buffer = connection.allocate(response.length)
  response.copy(buffer)
  connection.send(buffer, response.length, message)
}
