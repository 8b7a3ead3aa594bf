/** Test support: a target on loopback that logs everybody in and does with what follows what a test says. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import {
  basicHeaderBytes,
  dataSegmentBytes,
  dataSegmentStart,
  formatText,
  headerOffset,
  LoginFlags,
  LoginRequest,
  LoginResponse,
  LoginStage,
  loginStages,
  Negotiator,
  noDigests,
  Opcode,
  opcodeOf,
  paddedBytes,
  parseText,
  pduLengthBytes,
} from '../pdu/index.ts'
import type { TextPair, Wanted } from '../pdu/index.ts'
import type { HeaderLayout } from './outgoing.ts'

/** A PDU of the initiator. */
export interface ScriptedPdu {
  readonly opcode: number
  readonly bytes: Buffer
  readonly data: Buffer
  readonly tag: number
  readonly cmdSn: number
}

/** A connection of the initiator, with the numbers that its answers need. */
export class ScriptedConnection {
  readonly #socket: Socket
  /** Which connection it is: the first one has 0. */
  readonly number: number
  statSn = 1
  expCmdSn = 1
  /** Commands that may be sent beyond those that came. */
  windowSize = 32

  constructor(socket: Socket, number: number) {
    this.#socket = socket
    this.number = number
  }

  /** StatSN that the answer takes, ExpCmdSN and MaxCmdSN. */
  serials(takes = true): { readonly statSn: number; readonly expCmdSn: number; readonly maxCmdSn: number } {
    return { statSn: takes ? this.statSn++ : this.statSn, expCmdSn: this.expCmdSn, maxCmdSn: this.expCmdSn + this.windowSize - 1 }
  }

  send<In>(layout: HeaderLayout<In>, value: In, data: Buffer = Buffer.alloc(0)): void {
    const bytes = Buffer.alloc(basicHeaderBytes + paddedBytes(data.length))
    layout.encode(value, bytes, 0)
    bytes.writeUIntBE(data.length, headerOffset.dataSegmentLength, 3)
    data.copy(bytes, basicHeaderBytes)
    this.#socket.write(bytes)
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** What a test says. */
export interface Script {
  /** Answers a PDU of the full feature phase. */
  readonly onPdu: (pdu: ScriptedPdu, connection: ScriptedConnection) => void
  /** Refuses or redirects a login: its status and text. */
  readonly onLogin?: (
    pairs: ReadonlyMap<string, string>,
    connection: ScriptedConnection,
  ) => { status: number; pairs: readonly TextPair[] } | undefined
  readonly wanted?: Wanted
}

/** A running one; stopped with `await using`. */
export interface ScriptedTarget extends AsyncDisposable {
  readonly port: number
  readonly connections: readonly ScriptedConnection[]
}

/** Starts a target that follows a script. */
export async function startScriptedTarget(script: Script): Promise<ScriptedTarget> {
  const sockets = new Set<Socket>()
  const connections: ScriptedConnection[] = []
  const server = createServer({ noDelay: true }, socket => {
    sockets.add(socket)
    const connection = new ScriptedConnection(socket, connections.length)
    connections.push(connection)
    let rest = Buffer.alloc(0)
    let isLoggedIn = false
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes])
      while (rest.length >= basicHeaderBytes && rest.length >= pduLengthBytes(rest, 0, noDigests)) {
        const whole = rest.subarray(0, pduLengthBytes(rest, 0, noDigests))
        rest = rest.subarray(whole.length)
        const start = dataSegmentStart(whole, 0, noDigests)
        const data = whole.subarray(start, start + dataSegmentBytes(whole))
        if (isLoggedIn) receive(script, connection, whole, data)
        else isLoggedIn = logIn(script, connection, whole, data)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function receive(script: Script, connection: ScriptedConnection, bytes: Buffer, data: Buffer): void {
  const opcode = opcodeOf(bytes)
  const cmdSn = bytes.readUInt32BE(headerOffset.cmdSn)
  if (opcode === Opcode.scsiCommand && cmdSn >= connection.expCmdSn) connection.expCmdSn = cmdSn + 1
  script.onPdu({ opcode, bytes, data, tag: bytes.readUInt32BE(headerOffset.initiatorTaskTag), cmdSn }, connection)
}

/** One exchange: no authentication, everything at once. True when the login is over. */
function logIn(script: Script, connection: ScriptedConnection, bytes: Buffer, data: Buffer): boolean {
  const { isid, tsih, initiatorTaskTag } = LoginRequest.decode(bytes)
  const pairs = parseText(data)
  const refusal = script.onLogin?.(new Map(pairs), connection)
  const answer = { isid, initiatorTaskTag, ...connection.serials() }
  if (refusal !== undefined) {
    connection.send(LoginResponse, { ...answer, flags: 0, tsih, status: refusal.status }, formatText(refusal.pairs))
    return false
  }
  const negotiator = new Negotiator({ role: 'target', wanted: script.wanted ?? {}, receiveBytesMax: 8192 })
  const flags = LoginFlags.transit | loginStages(LoginStage.operational, LoginStage.fullFeature)
  connection.send(LoginResponse, { ...answer, flags, tsih: tsih === 0 ? 7 : tsih }, formatText(negotiator.receive(pairs)))
  return true
}
