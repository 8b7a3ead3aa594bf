/** QUERY_INFO (MS-SMB2 3.3.5.20); what each class needs and says is in the tables of messages/. */
import type { ExtendedAttribute } from '@holdfast/storage'
import { InfoType, QueryInfoFlags } from '../../messages/constants.ts'
import { FileClass } from '../../messages/fscc-classes.ts'
import { decodeGetEaList } from '../../messages/fscc-ea.ts'
import { fileQueryRows } from '../../messages/fscc-file-query.ts'
import type { FileQuery } from '../../messages/fscc-file-query.ts'
import { fileSystemQueryRows } from '../../messages/fscc-filesystem-query.ts'
import { fileSystemAttributes } from '../../messages/fscc-filesystem.ts'
import type { FileSystemQuery } from '../../messages/fscc-filesystem.ts'
import { encodeQuery } from '../../messages/fscc-query.ts'
import type { QueryRow } from '../../messages/fscc-query.ts'
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { QueryInfoRequest } from '../../messages/query-info.ts'
import { descriptorLengthBytes, writeSecurityDescriptor } from '../../messages/security-descriptor.ts'
import { accessToQuerySecurity, selectSecurity } from '../access/index.ts'
import { StatusError } from '../core/handler-api.ts'
import type { CommandHandler, Outcome, RequestContext } from '../core/handler-api.ts'
import { shownInfo } from './delayed-write-time.ts'
import type { FileOpen } from './file-open.ts'
import { splitPath } from './notices.ts'
import { fileOpen } from './opened.ts'
import { PipeOpen } from './pipe-open.ts'

const fixedBytes = 8

export const queryInfo: CommandHandler = async request => {
  const asked = QueryInfoRequest.decode(request.message, headerSize)
  const { maxTransactSize } = request.connection
  if (asked.outputBufferLength > maxTransactSize || asked.input.length > maxTransactSize) return request.fail(NtStatus.INVALID_PARAMETER)
  if (request.open instanceof PipeOpen) return queryPipe(request, request.open, asked)
  const open = fileOpen(request)
  switch (asked.infoType) {
    case InfoType.file:
      return queryFile(request, open, asked)
    case InfoType.fileSystem:
      return queryFileSystem(request, open, asked)
    case InfoType.security:
      return querySecurity(request, open, asked)
    case InfoType.quota:
      return request.fail(NtStatus.NOT_SUPPORTED)
    default:
      return request.fail(NtStatus.INVALID_PARAMETER)
  }
}

function reply<Source>(request: RequestContext, row: QueryRow<Source>, source: Source, maxBytes: number): Outcome {
  const body = request.reserve(fixedBytes + Math.max(Math.min(maxBytes, row.lengthBytes(source)), row.minBytes))
  const { status, lengthBytes } = encodeQuery({ row, source, target: body, at: fixedBytes, maxBytes })
  if (status !== NtStatus.SUCCESS && status !== NtStatus.BUFFER_OVERFLOW) return request.fail(status)
  writeHead(body, lengthBytes)
  return request.reply(fixedBytes + lengthBytes, status)
}

function writeHead(body: Buffer, lengthBytes: number): void {
  body.writeUInt16LE(9, 0)
  body.writeUInt16LE(headerSize + fixedBytes, 2)
  body.writeUInt32LE(lengthBytes, 4)
}

async function queryFile(request: RequestContext, open: FileOpen, asked: QueryInfoRequest): Promise<Outcome> {
  const row = fileQueryRows.get(asked.fileInfoClass)
  if (row === undefined) return request.fail(NtStatus.INVALID_INFO_CLASS)
  if (request.connection.dialect < row.dialect) return request.fail(NtStatus.NOT_SUPPORTED)
  if ((open.access & row.access) >>> 0 !== row.access) return request.fail(NtStatus.ACCESS_DENIED)
  const eas = row.needs.includes('extended-attributes') ? await askedEas(open, asked) : undefined
  const { path } = open
  const source: FileQuery = {
    info: await shownInfo(open),
    path: wirePath(path, open.stream),
    shortName: asked.fileInfoClass === FileClass.alternateName ? rememberShortName(open, path) : '',
    grantedAccess: open.access,
    mode: open.mode,
    position: open.position,
    deletePending: await open.files.opens.isDeletePending(open.grant),
    ...(row.needs.includes('streams') ? { streams: await open.handle.streams() } : {}),
    ...(eas === undefined ? {} : { extendedAttributes: eas }),
    ...(row.needs.includes('links') ? { links: [{ parentId: await parentId(open), name: splitPath(path).name }] } : {}),
  }
  const outcome = reply(request, row, source, asked.outputBufferLength)
  if (eas !== undefined) open.eaIndex += eas.length
  return outcome
}

function rememberShortName(open: FileOpen, path: string): string {
  const { folder, name } = splitPath(path)
  return open.files.shortNames.remember(folder, name)
}

function wirePath(path: string, stream: string): string {
  const name = path.replaceAll('/', '\\')
  return stream === '' ? name : `${name}:${stream}`
}

async function parentId(open: FileOpen): Promise<bigint> {
  return (await open.files.fileSystem.stat(splitPath(open.path).folder))?.id ?? 0n
}

/** The attributes a query wants: those it names, one, or all from where the last one ended (MS-FSA 2.1.5.12.10). */
async function askedEas(open: FileOpen, asked: QueryInfoRequest): Promise<readonly ExtendedAttribute[]> {
  const all = await open.handle.extendedAttributes()
  if (asked.input.length > 0) {
    const names = decodeGetEaList(asked.input)
    const found = (name: string) => all.find(ea => ea.name.toUpperCase() === name.toUpperCase())
    return names.map(name => found(name) ?? { name, value: new Uint8Array(0), flags: 0 })
  }
  if ((asked.flags & QueryInfoFlags.indexSpecified) !== 0) {
    if (asked.additionalInformation > all.length + 1 || asked.additionalInformation === 0) throw new StatusError(NtStatus.NONEXISTENT_EA_ENTRY)
    open.eaIndex = asked.additionalInformation - 1
  } else if ((asked.flags & QueryInfoFlags.restartScan) !== 0 || (asked.flags & QueryInfoFlags.returnSingleEntry) === 0) open.eaIndex = 0
  if (open.eaIndex > 0 && open.eaIndex >= all.length) throw new StatusError(NtStatus.NO_MORE_EAS)
  const rest = all.slice(open.eaIndex)
  return (asked.flags & QueryInfoFlags.returnSingleEntry) === 0 ? rest : rest.slice(0, 1)
}

async function queryFileSystem(request: RequestContext, open: FileOpen, asked: QueryInfoRequest): Promise<Outcome> {
  const row = fileSystemQueryRows.get(asked.fileInfoClass)
  if (row === undefined) return request.fail(asked.fileInfoClass === FileClass.rename ? NtStatus.INVALID_PARAMETER : NtStatus.INVALID_INFO_CLASS)
  const { fileSystem } = open.files
  const volume = await fileSystem.volume()
  const objectId = Buffer.alloc(16)
  objectId.writeUInt32LE(volume.serialNumber >>> 0)
  const source: FileSystemQuery = { volume, attributes: fileSystemAttributes(fileSystem.features), fileSystemName: 'NTFS', objectId }
  return reply(request, row, source, asked.outputBufferLength)
}

/** Security (3.3.5.20.3): a buffer that is too small is told the length it needs. */
async function querySecurity(request: RequestContext, open: FileOpen, asked: QueryInfoRequest): Promise<Outcome> {
  const needed = accessToQuerySecurity(asked.additionalInformation)
  if ((open.access & needed) >>> 0 !== needed) return request.fail(NtStatus.ACCESS_DENIED)
  const descriptor = selectSecurity(open.files.descriptor(await open.handle.security()), asked.additionalInformation)
  const lengthBytes = descriptorLengthBytes(descriptor)
  if (asked.outputBufferLength < lengthBytes) {
    const needs = Buffer.alloc(4)
    needs.writeUInt32LE(lengthBytes)
    return request.fail(NtStatus.BUFFER_TOO_SMALL, needs)
  }
  const body = request.reserve(fixedBytes + lengthBytes)
  writeSecurityDescriptor(body, fixedBytes, descriptor)
  writeHead(body, lengthBytes)
  return request.reply(fixedBytes + lengthBytes)
}

/** A pipe has the classes of MS-FSCC that speak of pipes, and "standard". */
function queryPipe(request: RequestContext, open: PipeOpen, asked: QueryInfoRequest): Outcome {
  const pipeClasses = [
    FileClass.standard,
    FileClass.pipe,
    FileClass.pipeLocal,
    FileClass.pipeRemote,
    FileClass.access,
    FileClass.mode,
    FileClass.internal,
  ]
  if (asked.infoType !== InfoType.file) return request.fail(NtStatus.NOT_SUPPORTED)
  const row = pipeClasses.some(one => one === asked.fileInfoClass) ? fileQueryRows.get(asked.fileInfoClass) : undefined
  if (row === undefined) return request.fail(NtStatus.INVALID_INFO_CLASS)
  const times = { createdAt: 0n, accessedAt: 0n, writtenAt: 0n, changedAt: 0n }
  const source: FileQuery = {
    info: {
      id: open.persistentId,
      volumeId: 0n,
      name: '',
      isFolder: false,
      kind: 'other',
      attributes: 0,
      ...times,
      sizeBytes: 0,
      allocationBytes: 4096,
      links: 1,
      eaSizeBytes: 0,
      reparseTag: 0,
    },
    path: '',
    shortName: '',
    grantedAccess: open.access,
    mode: 0,
    position: 0n,
    deletePending: true,
    pipe: { readMode: 1, completionMode: 0, readDataAvailable: open.pipe.available.totalBytes },
  }
  return reply(request, row, source, asked.outputBufferLength)
}
