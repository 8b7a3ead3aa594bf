/** The control socket's protocol on a worker: HTTP/1.1, a request per connection. Whoever may open the socket may do everything. */

import type { Connection, Message, WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { httpFramingWithContent, problem, readRequest, writeResponse } from '@holdfast/management'
import type { VolumeService } from '../volumes/service.ts'
import { answerVolumeRequest } from './volume-routes.ts'

/** More than any request here has to say. */
const contentBytesMax = 64 * 1024

/** How its requests are cut. */
export const controlFraming = httpFramingWithContent(contentBytesMax)

/** Listen for it with `controlFraming` and `distributed: false`. */
export function createControlProtocol(node: Pick<WorkerNode, 'beginAsync' | 'endAsync'>, service: VolumeService): WorkerProtocol {
  const answer = async ({ bytes, orphaned }: Message): Promise<Buffer> => {
    const request = readRequest(bytes, { contentBytesMax })
    if (request === undefined) return writeResponse(problem(400, 'The request is not complete.'))
    if ('status' in request) return writeResponse(problem(request.status, request.detail))
    return writeResponse(await answerVolumeRequest(request, { service, again: orphaned }))
  }
  return {
    accept(connection) {
      // Volumes take the time that they take, and the system has let in only those who may.
      connection.known()
      let isAnswered = false
      return {
        onMessage(message) {
          if (isAnswered) return message.release()
          isAnswered = true
          node.beginAsync()
          void answer(message)
            .then(response => send(connection, response, message))
            .finally(() => node.endAsync())
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
