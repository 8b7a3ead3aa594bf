/** A client of the management API for tests: each request is a connection of its own, and the event stream is read as it comes. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Endpoint } from './server.ts'

/** An answer, with its content read as JSON where it is. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  readonly value: Readonly<Record<string, unknown>>
}

/** What to ask. */
export interface Question {
  readonly method?: string
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly token?: string
}

/** Asks at an address, or a Unix socket's path. Rejects where the connection fails. */
export async function ask(where: Endpoint | string, { method = 'GET', path, body, headers = {}, token }: Question): Promise<Answer> {
  const content = body === undefined ? undefined : JSON.stringify(body)
  const sent = request({
    ...(typeof where === 'string' ? { socketPath: where } : where),
    method,
    path,
    agent: false,
    headers: {
      ...(content !== undefined && { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(content)) }),
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...headers,
    },
  })
  sent.end(content)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
  const isJson = text !== '' && /json/.test(response.headers['content-type'] ?? '')
  return { status: response.statusCode ?? 0, headers: response.headers, text, value: isJson ? (JSON.parse(text) as Answer['value']) : {} }
}

/** Logs in; throws where that is refused. */
export async function login(where: Endpoint | string, user: string, password: string): Promise<string> {
  const { status, text, value } = await ask(where, { method: 'POST', path: '/v1/login', body: { user, password } })
  if (status !== 200) throw new Error(`login: ${status} ${text}`)
  return String(value['token'])
}

/** An event of the stream. */
export interface ServerEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: Readonly<Record<string, unknown>>
}

/** A stream that is open, or that was: events in order. */
export class EventReader implements AsyncDisposable {
  readonly events: ServerEvent[] = []
  /** The response's head, as it came. */
  head = ''
  ended = false
  #rest = ''
  readonly #socket: Socket
  readonly #onEvent: ((event: ServerEvent) => void) | undefined
  #wake: () => void = () => undefined

  constructor(
    where: Endpoint,
    options: {
      readonly token: string
      readonly after?: string | undefined
      readonly query?: string
      readonly onEvent?: (event: ServerEvent) => void
    },
  ) {
    const { token, after, query = '' } = options
    this.#onEvent = options.onEvent
    this.#socket = connect(where.port, where.host)
    const fields = [
      `GET /v1/events${query} HTTP/1.1`,
      'Host: node',
      `Authorization: Bearer ${token}`,
      ...(after === undefined ? [] : [`Last-Event-ID: ${after}`]),
    ]
    this.#socket.write(`${fields.join('\r\n')}\r\n\r\n`)
    this.#socket.setEncoding('utf8').on('data', (text: string) => this.#take(text))
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => {
      this.ended = true
      this.#wake()
    })
  }

  /** Resolves when `holds`; rejects when the stream ends before. */
  async until(holds: (reader: this) => boolean): Promise<void> {
    while (!holds(this)) {
      if (this.ended) throw new Error(`the stream has ended: ${this.head}${this.#rest}`)
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  /** Resolves when the other end has closed it. */
  async end(): Promise<void> {
    while (!this.ended) await new Promise<void>(resolve => (this.#wake = resolve))
  }

  close(): void {
    this.#socket.destroy()
  }

  pause(): void {
    this.#socket.pause()
  }
  resume(): void {
    this.#socket.resume()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  #take(text: string): void {
    this.#rest += text
    if (this.head === '') {
      const end = this.#rest.indexOf('\r\n\r\n')
      if (end === -1) return
      this.head = this.#rest.slice(0, end)
      this.#rest = this.#rest.slice(end + 4)
    }
    const blocks = this.#rest.split('\n\n')
    this.#rest = blocks.pop() ?? ''
    for (const block of blocks) this.#event(block)
    this.#wake()
  }

  #event(block: string): void {
    const lines = block.split('\n').filter(line => line !== '' && !line.startsWith(':'))
    const fields = new Map(lines.map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const))
    const event = fields.get('event')
    if (event === undefined) return
    const read = { event, id: fields.get('id'), data: JSON.parse(fields.get('data') ?? 'null') as ServerEvent['data'] }
    this.events.push(read)
    this.#onEvent?.(read)
  }
}
