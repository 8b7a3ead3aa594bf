/** Content of filesystems in this thread, and a client that says exactly what it is told. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { ConnectionManager } from '@holdfast/engine'
import type { FileSystem } from '@holdfast/storage'
import { contentFraming } from '../requests.ts'
import { createContentProtocol, type ContentOptions } from '../protocol.ts'
import type { ContentAccounts, ContentShare, Reader } from '../shares.ts'

/** Nobody, and alice with the password `secret:1`. */
export const testAccounts: ContentAccounts = {
  nobody: { name: '' },
  verify: (user, password) => (user === 'alice' && password === 'secret:1' ? aliceReader : undefined),
}
const aliceReader: Reader = { name: 'alice' }

/** The Authorization field of alice. */
export const asAlice: string = `Authorization: Basic ${Buffer.from('alice:secret:1').toString('base64')}`

/** A share that everybody may read, but for what is said. */
export const testShare = (name: string, fileSystem: FileSystem, more: Partial<ContentShare> = {}): ContentShare => ({
  name,
  comment: '',
  fileSystem,
  isPublic: true,
  hasActiveContent: false,
  hidesUnreadable: false,
  admits: () => true,
  mayRead: () => true,
  mayList: () => true,
  ...more,
})

/** What came back for one request. */
export interface TestResponse {
  readonly status: number
  /** Names in lower case. */
  readonly fields: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** A server of content in this thread. */
export interface ContentServer extends AsyncDisposable {
  readonly port: number
  /** Sends this on a connection of its own, and gives all that comes until the server ends it, or has said nothing for a moment after the last whole response. */
  raw(text: string, responses: number): Promise<readonly TestResponse[]>
  get(path: string, ...fields: readonly string[]): Promise<TestResponse>
  request(line: string, ...fields: readonly string[]): Promise<TestResponse>
  readonly logged: readonly string[]
  readonly failures: readonly string[]
}

/** Serves. */
export async function startContent(shares: readonly ContentShare[], options: Partial<ContentOptions> = {}): Promise<ContentServer> {
  const logged: string[] = []
  const failures: string[] = []
  const manager = await ConnectionManager.start({
    onLog: (level, message, fields) => void logged.push(`${level} ${message} ${JSON.stringify(fields)}`),
    inThread: {
      content: {
        framing: contentFraming,
        create: node =>
          createContentProtocol(node, {
            shares: {
              find: name => shares.find(share => share.name.toUpperCase() === name.toUpperCase()),
              list: () => shares,
            },
            accounts: testAccounts,
            throttle: { delayMs: () => 0, succeeded() {}, failed: ({ user }) => (failures.push(user), 0) },
            realm: 'test',
            ...options,
          }),
      },
    },
  })
  const { port } = await manager.listen({
    protocol: 'content',
    framing: contentFraming,
    distributed: true,
    answersAfterEnd: true,
    host: '127.0.0.1',
    port: 0,
  })
  const raw: ContentServer['raw'] = async (text, responses) => {
    const socket = connect(port, '127.0.0.1')
    const reader = new ResponseReader(text)
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk)
      if (reader.responses.length >= responses) socket.end()
    })
    socket.write(text, 'latin1')
    await once(socket, 'close')
    return reader.responses
  }
  const request: ContentServer['request'] = async (line, ...fields) => {
    const [response] = await raw([`${line} HTTP/1.1`, 'Host: test', ...fields, '', ''].join('\r\n'), 1)
    if (response === undefined) throw new Error(`no response to ${line}`)
    return response
  }
  return {
    port,
    raw,
    request,
    get: (path, ...fields) => request(`GET ${path}`, ...fields),
    logged,
    failures,
    [Symbol.asyncDispose]: () => manager.close(),
  }
}

/** Cuts what comes into responses; those of HEAD, and 204 and 304, have no content whatever they say (RFC 9112 6.3). */
class ResponseReader {
  readonly responses: TestResponse[] = []
  readonly #methods: readonly string[]
  #bytes = Buffer.alloc(0)

  constructor(requests: string) {
    this.#methods = requests.split(/\r\n/).flatMap(line => /^([A-Z]+) \S+ HTTP\/1\.\d$/.exec(line)?.[1] ?? [])
  }

  push(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    for (let end = this.#bytes.indexOf('\r\n\r\n'); end !== -1; end = this.#bytes.indexOf('\r\n\r\n')) {
      const [line = '', ...lines] = this.#bytes.toString('latin1', 0, end).split('\r\n')
      const fields = new Map(lines.map(text => [text.slice(0, text.indexOf(':')).toLowerCase(), text.slice(text.indexOf(':') + 2)]))
      const status = Number(line.split(' ')[1])
      const isBare = this.#methods[this.responses.length] === 'HEAD' || status === 204 || status === 304
      const length = isBare ? 0 : Number(fields.get('content-length'))
      if (this.#bytes.length < end + 4 + length) return
      this.responses.push({ status, fields, body: this.#bytes.subarray(end + 4, end + 4 + length) })
      this.#bytes = this.#bytes.subarray(end + 4 + length)
    }
  }
}
