/** An engine in memory: connections whose messages and responses are arrays. */
import type { Connection, ConnectionHandler, Counter, Histogram, Message, WorkerNode, WorkerObject, WorkerProtocol } from '@holdfast/engine'

export class FakeMessage implements Message {
  readonly bytes: Buffer
  readonly orphaned: boolean
  releases = 0

  constructor(bytes: Buffer, orphaned = false) {
    this.bytes = bytes
    this.orphaned = orphaned
  }

  release(): void {
    this.releases += 1
  }
}

export class FakeConnection implements Connection {
  static nextId = 1
  readonly id = FakeConnection.nextId++
  readonly remoteAddress = '192.0.2.1'
  readonly remotePort = 50_000
  readonly localAddress = '192.0.2.2'
  readonly localPort = 445
  readonly unsentBytes = 0
  readonly sent: Buffer[] = []
  readonly checkpoints = new Map<string, unknown>()
  readonly messages: FakeMessage[] = []
  allocated = 0
  closedBecause: string | undefined
  moved: { worker: number; message: Message | undefined } | undefined
  handler: ConnectionHandler | undefined
  onSend: (() => void) | undefined

  allocate(lengthBytes: number): Buffer {
    this.allocated += 1
    return Buffer.alloc(lengthBytes, 0xee)
  }
  send(buffer: Buffer, lengthBytes: number, finishes?: Message): void {
    this.allocated -= 1
    this.sent.push(Buffer.from(buffer.subarray(0, lengthBytes)))
    finishes?.release()
    this.onSend?.()
  }
  sendPart(): never {
    throw new Error('SMB sends whole frames')
  }
  settle(): never {
    throw new Error('SMB keeps nothing with its writes')
  }
  readonly state = []
  stay(): never {
    throw new Error('SMB sessions are distributed ones')
  }
  reframe(): never {
    throw new Error('SMB has one framing')
  }
  isSilent(): boolean {
    return false
  }

  discard(): void {
    this.allocated -= 1
  }
  checkpoint(key: string, state: unknown): void {
    if (state === undefined) this.checkpoints.delete(key)
    else this.checkpoints.set(key, structuredClone(state))
  }
  moveTo(worker: number, redeliver?: Message): void {
    this.moved = { worker, message: redeliver }
    this.handler?.onClose('moved')
  }
  isKnown = false
  known(): void {
    this.isKnown = true
  }
  sendFile(): number {
    return 0
  }

  end(reason: string): void {
    this.close(reason)
  }

  close(reason: string): void {
    this.closedBecause = reason
    this.onSend?.()
    this.handler?.onClose('closed')
  }

  deliver(bytes: Buffer, orphaned = false): FakeMessage {
    const message = new FakeMessage(Buffer.from(bytes), orphaned)
    this.messages.push(message)
    this.handler!.onMessage(message)
    return message
  }
}

/** Workers of one process that call each other. */
export class FakeMesh {
  readonly nodes: FakeNode[] = []
}

export class FakeNode implements WorkerNode {
  readonly index: number
  readonly workers: number
  readonly incarnation = 1
  readonly objects = new Map<string, WorkerObject>()
  readonly values = new Map<string, number>()
  asyncHeld = 0
  readonly #mesh: FakeMesh

  constructor(options: { mesh?: FakeMesh; index?: number; workers?: number } = {}) {
    this.#mesh = options.mesh ?? new FakeMesh()
    this.index = options.index ?? 0
    this.workers = options.workers ?? 1
    this.#mesh.nodes[this.index] = this
  }

  register(objectId: string, object: WorkerObject): void {
    this.objects.set(objectId, object)
  }
  unregister(objectId: string): void {
    this.objects.delete(objectId)
  }
  async call(worker: number, objectId: string, method: string, argument: unknown): Promise<unknown> {
    const action = this.#mesh.nodes[worker]?.objects.get(objectId)?.[method]
    if (action === undefined) throw Object.assign(new Error('lost'), { code: 'WORKER_LOST' })
    return await action(structuredClone(argument) as never, this.index)
  }
  post(worker: number, objectId: string, method: string, argument: unknown): void {
    void this.call(worker, objectId, method, argument).catch(() => {})
  }
  onWorkerLost(): void {}
  service(): undefined {
    return undefined
  }
  ask(): Promise<never> {
    return Promise.reject(new Error('there is no manager'))
  }
  log(): void {}
  readonly counters = {
    counter: (name: string, _help: string, labels: Readonly<Record<string, string>> = {}): Counter => this.#counter(name + JSON.stringify(labels)),
    gauge: (name: string, _help: string, labels: Readonly<Record<string, string>> = {}): Counter => this.#counter(name + JSON.stringify(labels)),
    histogram: (name: string, _help: string, _bounds: readonly number[], labels: Readonly<Record<string, string>> = {}): Histogram => {
      const count = this.#counter(`${name}_count${JSON.stringify(labels)}`)
      return { observe: () => count.add() }
    },
  }
  #counter(key: string): Counter {
    return {
      add: (n = 1) => void this.values.set(key, (this.values.get(key) ?? 0) + n),
      set: n => void this.values.set(key, n),
    }
  }
  beginAsync(): void {
    this.asyncHeld += 1
  }
  endAsync(): void {
    this.asyncHeld -= 1
  }
}

/** Connects to a protocol as the engine does. */
export function connect(protocol: WorkerProtocol, checkpoints: ReadonlyMap<string, unknown> = new Map()): FakeConnection {
  const connection = new FakeConnection()
  for (const [key, state] of checkpoints) connection.checkpoints.set(key, state)
  connection.handler = protocol.accept(connection, checkpoints)
  return connection
}
