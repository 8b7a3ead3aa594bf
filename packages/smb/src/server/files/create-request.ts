/** Reads and validates a CREATE request (MS-SMB2 2.2.13, 3.3.5.9). */
import { access } from '../../messages/fscc-access-mask.ts'
import { Capability, CreateDisposition, CreateOptions, FileAttribute, ImpersonationLevel, OplockLevel } from '../../messages/constants.ts'
import { CreateRequest } from '../../messages/create.ts'
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import type { Token } from '../access/index.ts'
import { StatusError } from '../core/handler-api.ts'
import type { RequestContext } from '../core/handler-api.ts'
import { parseCreateName } from '../naming/index.ts'
import type { LeaseRequest, Seat } from '../opens/index.ts'
import { readContexts } from './create-contexts.ts'
import type { AskedDurability } from './durable-contexts.ts'
import type { AskedContexts } from './create-contexts.ts'
import type { ShareFiles } from './share-files.ts'

/** A CREATE request, checked, in our terms. */
export interface CreatePlan {
  /** As asked: generic and maximum-allowed bits included. */
  readonly desiredAccess: number
  readonly shareAccess: number
  readonly disposition: number
  readonly options: number
  readonly attributes: number
  /** In the share, `/` between components. */
  readonly path: string
  /** Named stream without type, `''` for the data stream. */
  readonly stream: string
  /** The name asked for a data stream by `::$DATA`: folders have none. */
  readonly streamOfFolder: boolean
  readonly oplockLevel: number
  readonly lease: LeaseRequest | undefined
  /** Open.IsDurable and IsPersistent, if they can be had. */
  readonly durable: AskedDurability | undefined
  /** Where it will be, where others are to know. */
  readonly seat?: Seat
  readonly allocationBytes: number
  readonly contexts: AskedContexts
  readonly token: Token
  /** MaximalAccess of the tree connect. */
  readonly limit: number
  readonly readOnlyShare: boolean
  readonly writeThrough: boolean
}

const knownOptions = 0x00ff_ffff
const unsupportedOptions = CreateOptions.createTreeConnection | CreateOptions.openByFileId | CreateOptions.reserveOpfilter
const knownAccess = 0xf31f_01ff
const knownAttributes = 0x0000_7fb7 | FileAttribute.integrityStream | FileAttribute.noScrubData
/** Attributes a client may give a new file; the others describe, they are not set. */
const settableAttributes =
  FileAttribute.readonly |
  FileAttribute.hidden |
  FileAttribute.system |
  FileAttribute.archive |
  FileAttribute.temporary |
  FileAttribute.offline |
  FileAttribute.notContentIndexed

type Asked = ReturnType<typeof CreateRequest.decode>

/** Conditions that refuse a request whatever the file is: [what is wrong, status] (MS-FSA 2.1.5.1 phase 1). */
const rules: readonly (readonly [(asked: Asked) => boolean, number])[] = [
  [asked => asked.impersonationLevel > ImpersonationLevel.delegate, NtStatus.BAD_IMPERSONATION_LEVEL],
  [asked => asked.createDisposition > CreateDisposition.overwriteIf, NtStatus.INVALID_PARAMETER],
  [asked => (asked.createOptions & ~knownOptions) !== 0, NtStatus.INVALID_PARAMETER],
  [asked => (asked.createOptions & unsupportedOptions) !== 0, NtStatus.NOT_SUPPORTED],
  [asked => asked.desiredAccess === 0 || (asked.desiredAccess & ~knownAccess) !== 0, NtStatus.ACCESS_DENIED],
  [asked => (asked.shareAccess & ~7) !== 0, NtStatus.INVALID_PARAMETER],
  [asked => (asked.fileAttributes & ~knownAttributes) !== 0, NtStatus.INVALID_PARAMETER],
  [
    asked => (asked.createOptions & CreateOptions.directoryFile) !== 0 && (asked.createOptions & CreateOptions.nonDirectoryFile) !== 0,
    NtStatus.INVALID_PARAMETER,
  ],
  [
    asked =>
      (asked.createOptions & CreateOptions.directoryFile) !== 0 &&
      [CreateDisposition.supersede, CreateDisposition.overwrite, CreateDisposition.overwriteIf].some(one => one === asked.createDisposition),
    NtStatus.INVALID_PARAMETER,
  ],
  [
    asked =>
      (asked.createOptions & CreateOptions.deleteOnClose) !== 0 &&
      (asked.desiredAccess & (access.delete | access.genericAll | access.maximumAllowed)) === 0,
    NtStatus.ACCESS_DENIED,
  ],
]

export function readCreateRequest(request: RequestContext, files: ShareFiles): CreatePlan {
  const { message, connection } = request
  const asked = CreateRequest.decode(message, headerSize)
  const contexts = readContexts(asked.createContexts, connection.dialect)
  // Who comes back to an open need not say again what it wants (3.3.5.9.7, 3.3.5.9.12).
  if (contexts.reconnect === undefined) for (const [isWrong, status] of rules) if (isWrong(asked)) throw new StatusError(status)
  if (contexts.snapshot) throw new StatusError(NtStatus.OBJECT_NAME_NOT_FOUND)
  const name = parseCreateName(asked.name)
  if (name.status !== NtStatus.SUCCESS) throw new StatusError(name.status)
  if (name.mustBeFolder && (asked.createOptions & CreateOptions.nonDirectoryFile) !== 0) throw new StatusError(NtStatus.FILE_IS_A_DIRECTORY)
  if (name.stream !== '' && !files.fileSystem.features.namedStreams) throw new StatusError(NtStatus.OBJECT_NAME_INVALID)
  if (name.streamType === 'data' && (asked.createOptions & CreateOptions.directoryFile) !== 0) throw new StatusError(NtStatus.NOT_A_DIRECTORY)
  const leased = asked.requestedOplockLevel === OplockLevel.lease && contexts.lease !== undefined
  return {
    desiredAccess: asked.desiredAccess,
    shareAccess: asked.shareAccess,
    disposition: asked.createDisposition,
    options: name.mustBeFolder ? asked.createOptions | CreateOptions.directoryFile : asked.createOptions,
    attributes: asked.fileAttributes & settableAttributes,
    path: name.path,
    stream: name.stream,
    streamOfFolder: name.streamType === 'data' && name.stream === '',
    oplockLevel: asked.requestedOplockLevel === OplockLevel.lease && !leased ? OplockLevel.none : asked.requestedOplockLevel,
    lease: leased ? contexts.lease : undefined,
    durable: durabilityOf(request, contexts.durable),
    allocationBytes: contexts.allocationBytes,
    contexts,
    token: files.tokenOf(request.session),
    limit: request.tree.maximalAccess,
    readOnlyShare: files.options.readOnly,
    writeThrough: files.options.writeThrough || (asked.createOptions & CreateOptions.writeThrough) !== 0,
  }
}

/** A persistent handle is for shares that are continuously available, and clients that know them; without these it is a durable one. */
function durabilityOf({ tree, connection }: RequestContext, asked: AskedDurability | undefined): AskedDurability | undefined {
  if (asked?.persistent !== true) return asked
  const canPersist = tree.share.continuouslyAvailable && (connection.capabilities & Capability.persistentHandles) !== 0
  return canPersist ? asked : { ...asked, persistent: false }
}
