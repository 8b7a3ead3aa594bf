/** What a target's bytes reach in an initiator: logins, framing, and what a disk says of itself. */
import { captured } from '../pdu/captured.ts'
import { dataSegmentBytes, LoginResponse, Opcode, opcodeOf } from '../pdu/index.ts'
import { inspectDisk, readCapacity } from './disk/inspect.ts'
import { ScsiError, scsiError } from './disk/scsi-error.ts'
import { IscsiError } from './errors.ts'
import { Login } from './login.ts'
import { portalSettings, sessionSettings } from './options.ts'
import { PduReceiver } from './receiver.ts'

/** Takes bytes of a peer; throws or rejects with MalformedError and nothing else. */
export type Decoder = (bytes: Buffer) => unknown

const host = 'target'
const target = 'iqn.2026-11.test.reference:disk'
const isid = Buffer.alloc(6)
const loginBase = { isid, tsih: 0, cid: 0, cmdSn: 1, initiatorTaskTag: 1, target, wanted: sessionSettings({ host, target }).wanted }

/** A refusal is an answer too. */
function unlessRefused(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    if (error instanceof IscsiError) return error.code
    throw error
  }
}

function logIn(more: object, bytes: Buffer): unknown {
  const login = new Login({ ...loginBase, settings: portalSettings({ host, ...more }) })
  login.begin()
  const response = LoginResponse.decode(bytes)
  return unlessRefused(() => login.receive(response, bytes.subarray(48, 48 + dataSegmentBytes(bytes))))
}

function receive(digests: boolean, bytes: Buffer): number {
  let count = 0
  const receiver = new PduReceiver({ dataBytesMax: 8192, onPdu: () => void count++ })
  receiver.digests = { header: digests, data: digests }
  bytes.copy(receiver.target())
  unlessRefused(() => receiver.received(bytes.length))
  return count
}

async function inspect(page: Buffer): Promise<unknown> {
  try {
    return await inspectDisk(async cdb => (cdb[2] === 0 ? Buffer.from('00000004008083b0', 'hex') : Buffer.concat([Buffer.from([0, cdb[2]]), page])))
  } catch (error) {
    if (error instanceof ScsiError) return error.code
    throw error
  }
}

const logins = captured.filter(({ bytes }) => opcodeOf(bytes) === Opcode.loginResponse).map(({ bytes }) => bytes)
const all = captured.map(({ bytes }) => bytes)
const pages = [Buffer.from('0018011300081111111111111111010300086001405aaaaaaaaa', 'hex'), Buffer.alloc(62, 1)]

/** By name. */
export const decoders: Readonly<Record<string, { readonly decode: Decoder; readonly seeds: readonly Buffer[] }>> = {
  Login: { decode: bytes => logIn({}, bytes), seeds: logins },
  'Login, CHAP': { decode: bytes => logIn({ user: 'alice', password: 'Correct-Horse-1' }, bytes), seeds: logins },
  PduReceiver: { decode: bytes => receive(false, bytes), seeds: all },
  'PduReceiver, digests': { decode: bytes => receive(true, bytes), seeds: all },
  inspectDisk: { decode: inspect, seeds: pages },
  readCapacity: { decode: async bytes => readCapacity(async () => Buffer.concat([bytes, Buffer.alloc(16)])), seeds: pages },
  scsiError: { decode: bytes => scsiError('READ (16)', 2, bytes).code, seeds: [Buffer.from('70000500000000180000000021000000000000', 'hex')] },
}
