/** For tests: a server that does what a script says, one answer for each request. It knows no session. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { Header, HeaderFlags, headerSize, splitCompound } from '../messages/index.ts'
import { Connection } from './connection.ts'
import type { ConnectionOptions } from './connection.ts'

/** A request as the server got it. */
export interface Seen {
  readonly header: Header
  readonly body: Buffer
}

/** Answers to one request; bytes go out as they are. */
export type Script = (seen: Seen, reply: (answer: Partial<Header> & { body?: Buffer; asyncId?: bigint }) => void, socket: Socket) => void

/** A connection to a scripted server, negotiated by decree. */
export interface Scripted extends AsyncDisposable {
  readonly connection: Connection
  readonly seen: Seen[]
}

const emptyBody = Buffer.from([4, 0, 0, 0])

/** The bytes of a response. */
export function responseTo({ header }: Seen, answer: Partial<Header> & { body?: Buffer; asyncId?: bigint }): Buffer {
  const body = answer.body ?? emptyBody
  const bytes = Buffer.alloc(4 + headerSize + body.length)
  bytes.writeUInt32BE(headerSize + body.length, 0)
  const flags = HeaderFlags.serverToRedir | (answer.asyncId === undefined ? 0 : HeaderFlags.asyncCommand)
  Header.encode({ ...header, status: 0, credits: 1, ...answer, flags: answer.flags ?? flags }, bytes, 4)
  if (answer.asyncId !== undefined) bytes.writeBigUInt64LE(answer.asyncId, 4 + 32)
  body.copy(bytes, 4 + headerSize)
  return bytes
}

/** Starts the server and connects to it. */
export async function scripted(script: Script, options: Partial<ConnectionOptions> & { readonly dialect?: number } = {}): Promise<Scripted> {
  const seen: Seen[] = []
  const server = createServer(socket => {
    let received: Buffer = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes])
      while (received.length >= 4 && received.length >= 4 + received.readUInt32BE(0)) {
        const message = received.subarray(4, 4 + received.readUInt32BE(0))
        received = received.subarray(4 + message.length)
        for (const { header, at, end } of splitCompound(message)) {
          const one = { header, body: message.subarray(at + headerSize, end) }
          seen.push(one)
          script(one, answer => socket.write(responseTo(one, answer)), socket)
        }
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const connection = new Connection({ host: '127.0.0.1', port, timeoutMs: 5000, creditsTarget: 16, ...options })
  await connection.open().catch(error => {
    server.close()
    throw error
  })
  connection.negotiated({ dialect: options.dialect ?? 0x0311, maxMessageBytes: 1024 * 1024 })
  return {
    connection,
    seen,
    async [Symbol.asyncDispose]() {
      connection.close()
      server.close()
      await once(server, 'close')
    },
  }
}
