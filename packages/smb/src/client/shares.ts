/** The list of shares: NetrShareEnum of SRVSVC over the pipe of the same name (MS-SRVS 3.1.4.8, MS-RPCE 2.1.1.2). */
import { emptyBytes, MalformedError } from '@holdfast/wire'
import { ndr, pdu, shareType } from '@holdfast/rpc'
import { fileRights, Fsctl, headerSize, NtStatus, ReadResponse } from '../messages/index.ts'
import type { CallOptions } from './connection.ts'
import { SmbError } from './errors.ts'
import { acrossInterruptions } from './interruption.ts'
import { ioctl } from './ioctl.ts'
import { closeOpen, openBriefly } from './opening.ts'
import type { OpenFile } from './reading.ts'
import { operations } from './requests.ts'
import { Tree } from './tree.ts'
import type { Session } from './session.ts'

/** A share of a server. */
export interface SmbShareInfo {
  readonly name: string
  readonly kind: 'disk' | 'printer' | 'device' | 'ipc'
  readonly comment: string
  /** An administrative share, such as `IPC$`. */
  readonly isSpecial: boolean
}

const kinds = { [shareType.disk]: 'disk', [shareType.printQueue]: 'printer', [shareType.device]: 'device', [shareType.ipc]: 'ipc' } as const

const srvsvcSyntax = { uuid: '4b324fc8-1670-01d3-1278-5a47bf6ee188', version: 3 }
const opnumShareEnum = 15
const shareInfoLevel = 1
/** Fragments of this length are what all servers take. */
const fragmentBytes = 4280
const transceiveBytes = 65_536
/** More than any list of shares takes. */
const stubBytesMax = 16 * 1024 * 1024

const shareInfo1 = ndr.struct({ netname: ndr.unique(ndr.wideString), type: ndr.u32, remark: ndr.unique(ndr.wideString) })
const container = ndr.struct({ entries: ndr.u32, buffer: ndr.unique(ndr.conformantArray(shareInfo1)) })
const arms: Readonly<Record<number, ndr.NdrType<never>>> = { [shareInfoLevel]: ndr.unique(container) as unknown as ndr.NdrType<never> }
const enumStruct = ndr.struct({ level: ndr.u32, info: ndr.union(ndr.u32, arms) })
const enumInput = {
  serverName: ndr.unique(ndr.wideString),
  info: enumStruct,
  preferredMaximumLength: ndr.u32,
  resumeHandle: ndr.unique(ndr.u32),
}
const enumOutput = { info: enumStruct, totalEntries: ndr.u32, resumeHandle: ndr.unique(ndr.u32), status: ndr.u32 }

/** Asks the server for its shares, hidden ones included. */
export async function listShares(session: Session, options: CallOptions = {}): Promise<SmbShareInfo[]> {
  const tree = await Tree.connect(session, 'IPC$', options)
  try {
    return await acrossInterruptions(() => listOver(tree, options))
  } finally {
    await tree.disconnect()
  }
}

async function listOver(tree: Tree, options: CallOptions): Promise<SmbShareInfo[]> {
  const fileId = await openBriefly(tree, { name: 'srvsvc', desiredAccess: fileRights.read | fileRights.write }, options)
  try {
    return await enumerate({ tree, fileId, path: 'srvsvc' }, options)
  } catch (cause) {
    if (!(cause instanceof MalformedError)) throw cause
    throw new SmbError('MALFORMED', `the list of shares is malformed: ${cause.message}`, { cause })
  } finally {
    await closeOpen(fileId).catch(() => undefined)
  }
}

async function enumerate(pipe: OpenFile, options: CallOptions): Promise<SmbShareInfo[]> {
  const bindAnswer = await transceive(pipe, bind(1), options)
  if (pdu.readHeader(bindAnswer).type !== pdu.packetType.bindAck)
    throw new SmbError('ENOTSUP', 'the server does not tell its shares', { path: pipe.path })
  const writer = new ndr.NdrWriter()
  ndr.writeParameters(writer, enumInput, {
    serverName: `\\\\${pipe.tree.session.connection.host}`,
    info: { level: shareInfoLevel, info: { level: shareInfoLevel, value: { entries: 0, buffer: null } } },
    preferredMaximumLength: 0xffff_ffff,
    resumeHandle: null,
  })
  const stub = await call(pipe, request(2, opnumShareEnum, writer.finish()), options)
  const { info, status } = ndr.readParameters(new ndr.NdrReader(stub), enumOutput)
  if (status !== 0) throw new SmbError(status === 5 ? 'EACCES' : 'EIO', `NetrShareEnum: error ${status}`, { path: pipe.path })
  const { buffer } = info.info.value as ndr.ValueOf<typeof container>
  return (buffer ?? []).map(({ netname, type, remark }) => ({
    name: netname ?? '',
    kind: (kinds as Readonly<Record<number, SmbShareInfo['kind']>>)[type & 0xff] ?? 'disk',
    comment: remark ?? '',
    isSpecial: (type & shareType.special) !== 0,
  }))
}

function header(type: number, callId: number, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(pdu.headerBytes + bodyBytes)
  bytes.set([5, 0, type, pdu.packetFlag.first | pdu.packetFlag.last, 0x10])
  bytes.writeUInt16LE(bytes.length, 8)
  bytes.writeUInt32LE(callId, 12)
  return bytes
}

/** bind with one presentation context (C706 12.6.4.3). */
function bind(callId: number): Buffer {
  const bytes = header(pdu.packetType.bind, callId, 56)
  const at = pdu.headerBytes
  bytes.writeUInt16LE(fragmentBytes, at)
  bytes.writeUInt16LE(fragmentBytes, at + 2)
  bytes[at + 8] = 1
  bytes[at + 14] = 1
  pdu.uuidBytes(srvsvcSyntax.uuid).copy(bytes, at + 16)
  bytes.writeUInt32LE(srvsvcSyntax.version, at + 32)
  pdu.uuidBytes(pdu.ndrSyntax.uuid).copy(bytes, at + 36)
  bytes.writeUInt32LE(pdu.ndrSyntax.version, at + 52)
  return bytes
}

/** request in one fragment (C706 12.6.4.9). */
function request(callId: number, opnum: number, stub: Buffer): Buffer {
  const bytes = header(pdu.packetType.request, callId, 8 + stub.length)
  bytes.writeUInt32LE(stub.length, 16)
  bytes.writeUInt16LE(opnum, 22)
  stub.copy(bytes, pdu.callHeaderBytes)
  return bytes
}

/** The stub of an answer, put together from its fragments. */
async function call(pipe: OpenFile, bytes: Buffer, options: CallOptions): Promise<Buffer> {
  let received = await transceive(pipe, bytes, options)
  const stubs: Buffer[] = []
  for (let total = 0; ;) {
    while (received.length < pdu.headerBytes || received.length < pdu.readHeader(received).fragmentBytes) {
      const more = await readPipe(pipe, options)
      if (more.length === 0) throw new MalformedError('bad-fragment', 'an RPC answer ends too early')
      received = Buffer.concat([received, more])
    }
    const { type, flags, fragmentBytes: lengthBytes, authBytes, bigEndian } = pdu.readHeader(received)
    if (type !== pdu.packetType.response || bigEndian || authBytes !== 0 || lengthBytes < pdu.callHeaderBytes) {
      throw new SmbError('EIO', `the server answers RPC with a packet of type ${type}`, { path: pipe.path })
    }
    const stub = received.subarray(pdu.callHeaderBytes, lengthBytes)
    stubs.push(stub)
    total += stub.length
    if (total > stubBytesMax) throw new MalformedError('bad-fragment', 'an RPC answer is too long')
    if ((flags & pdu.packetFlag.last) !== 0) return Buffer.concat(stubs)
    received = received.subarray(lengthBytes)
  }
}

/** Writes a message to the pipe and reads the first of the answer (FSCTL_PIPE_TRANSCEIVE). */
async function transceive(pipe: OpenFile, input: Buffer, options: CallOptions): Promise<Buffer> {
  const decode = (bytes: Buffer): Buffer => Buffer.from(bytes)
  const { value: output } = await ioctl(pipe, { ctlCode: Fsctl.pipeTransceive, input, maxOutputBytes: transceiveBytes, decode }, options)
  if (output === undefined || output.length < pdu.headerBytes) throw new MalformedError('bad-fragment', 'an RPC answer is too short')
  return output
}

async function readPipe({ tree, fileId, path }: OpenFile, options: CallOptions): Promise<Buffer> {
  const { value } = await tree.exchange(
    {
      operation: operations.read,
      value: { length: transceiveBytes, offset: 0n, fileId },
      scope: tree,
      payloadBytes: transceiveBytes,
      allows: [NtStatus.END_OF_FILE],
      path,
      receive: ({ message }) => Buffer.from(ReadResponse.decode(message, headerSize).data),
    },
    options,
  )
  return value ?? emptyBytes
}
