/** The CREATE response and its contexts (MS-SMB2 2.2.14, 3.3.5.9). */
import { AaplQuery, AaplServerCaps, AaplServerQueryResponse, AaplVolumeCaps } from '../../messages/aapl.ts'
import { CreateAction, CreateResponseFlags, FileAttribute, LeaseFlags } from '../../messages/constants.ts'
import {
  CreateContextName,
  CreateContexts,
  LeaseV1,
  LeaseV2,
  QueryMaximalAccessResponse,
  QueryOnDiskIdResponse,
} from '../../messages/create-contexts.ts'
import type { CreateContext } from '../../messages/create-contexts.ts'
import { CreateResponse } from '../../messages/create.ts'
import { wireAttributes } from '../../messages/fscc-directory.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import type { Outcome, RequestContext } from '../core/handler-api.ts'
import type { LeaseGrant } from '../opens/index.ts'
import type { CreatePlan } from './create-request.ts'
import type { Created } from './create.ts'
import { durableResponse } from './durable-contexts.ts'

const noParent = '00000000-0000-0000-0000-000000000000'
const serverModel = 'MacSamba'

export function replyCreated(request: RequestContext, plan: CreatePlan, created: Created): Outcome {
  const { open, info, action } = created
  const granted = created.granted ?? open.grant
  const contexts = contextsOf(plan, created)
  const createContexts = contexts.length === 0 ? Buffer.alloc(0) : Buffer.alloc(CreateContexts.encodedLength(contexts))
  if (contexts.length > 0) CreateContexts.encode(contexts, createContexts, 0)
  const body = request.reserve(CreateResponse.fixedSize + createContexts.length + 8)
  const end = CreateResponse.encode(
    {
      oplockLevel: granted.oplockLevel,
      flags: info.reparseTag !== 0 && action === CreateAction.opened ? CreateResponseFlags.reparsePoint : 0,
      createAction: action,
      creationTime: info.createdAt,
      lastAccessTime: info.accessedAt,
      lastWriteTime: info.writtenAt,
      changeTime: info.changedAt,
      allocationSize: info.isFolder ? 0 : info.allocationBytes,
      endOfFile: info.isFolder ? 0 : info.sizeBytes,
      fileAttributes: wireAttributes(info) & ~FileAttribute.integrityStream,
      fileId: { persistent: open.persistentId, volatile: open.volatileId },
      createContexts,
    },
    body,
  )
  return request.reply(end)
}

function contextsOf(plan: CreatePlan, created: Created): CreateContext[] {
  const asked = plan.contexts
  const contexts: CreateContext[] = []
  const add = (name: string, data: Buffer): void => void contexts.push({ name, data })
  const { lease, durable, persistent } = created.granted ?? created.open.grant
  const { timeoutMs } = created.open.grant
  if (lease !== undefined) add(CreateContextName.requestLease, encodeLease(lease))
  if (plan.durable !== undefined && durable === true) {
    contexts.push(durableResponse({ ...plan.durable, timeoutMs: timeoutMs ?? plan.durable.timeoutMs }, persistent === true))
  }
  if (asked.maximalAccess) {
    add(CreateContextName.queryMaximalAccess, QueryMaximalAccessResponse.toBytes({ queryStatus: NtStatus.SUCCESS, maximalAccess: created.maximal }))
  }
  if (asked.onDiskId) {
    add(CreateContextName.queryOnDiskId, QueryOnDiskIdResponse.toBytes({ diskFileId: created.info.id, volumeId: created.info.volumeId }))
  }
  if (asked.aaplQuery !== undefined) add(CreateContextName.aapl, answerAapl(asked.aaplQuery))
  return contexts
}

function encodeLease(lease: LeaseGrant): Buffer {
  const leaseFlags = (lease.breakInProgress ? LeaseFlags.breakInProgress : 0) | (lease.parentKey === undefined ? 0 : LeaseFlags.parentLeaseKeySet)
  const common = { leaseKey: lease.key, leaseState: lease.state, leaseFlags }
  if (lease.version === 1) return LeaseV1.toBytes(common)
  return LeaseV2.toBytes({ ...common, parentLeaseKey: lease.parentKey ?? noParent, epoch: lease.epoch })
}

/** What macOS asks once per share; without READDIR_ATTR it works with the standard listing (Apple's smb_2.h). */
function answerAapl(asked: bigint): Buffer {
  const answer = {
    ...((asked & AaplQuery.serverCaps) === 0n ? {} : { serverCapabilities: AaplServerCaps.unixBased }),
    ...((asked & AaplQuery.volumeCaps) === 0n ? {} : { volumeCapabilities: AaplVolumeCaps.supportsFullSync }),
    ...((asked & AaplQuery.modelInfo) === 0n ? {} : { model: serverModel }),
  }
  const bytes = Buffer.alloc(AaplServerQueryResponse.encodedLength(answer))
  AaplServerQueryResponse.encode(answer, bytes, 0)
  return bytes
}
