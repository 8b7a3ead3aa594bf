/** CREATE on IPC$: opens a named pipe with an RPC service (MS-SMB2 3.3.5.9, "named pipe"). */
import { RpcPipe } from '@holdfast/rpc'
import { CreateAction, FileAttribute, OplockLevel } from '../../messages/constants.ts'
import { CreateRequest, CreateResponse } from '../../messages/create.ts'
import { fileRights, mapGenericAccess } from '../../messages/fscc-access-mask.ts'
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { wellKnownSids } from '../../messages/sid.ts'
import type { Outcome, RequestContext } from '../core/handler-api.ts'
import { PipeOpen } from './pipe-open.ts'
import { PipeServices } from './pipe-services.ts'

const pipeAllocationBytes = 4096

export function createPipe(request: RequestContext): Outcome {
  const { extension } = request.tree.share
  const asked = CreateRequest.decode(request.message, headerSize)
  const name = asked.name.toLowerCase().replace(/^\\?(pipe\\)?/, '')
  const { user } = request.session
  const services =
    extension instanceof PipeServices ? extension[user.sid === wellKnownSids.anonymous ? 'anonymousServices' : 'services'].get(name) : undefined
  if (services === undefined) return request.fail(NtStatus.OBJECT_NAME_NOT_FOUND)
  const pipe = new RpcPipe({
    services,
    name,
    context: { user: { name: user.name, domain: user.domain, sid: user.sid, isAdmin: user.isAdministrator } },
  })
  const open = request.session.opens.add(new PipeOpen({ tree: request.tree, pipe, access: mapGenericAccess(asked.desiredAccess) & fileRights.all }))
  request.setOpen(open)
  const body = request.reserve(CreateResponse.fixedSize + 8)
  const end = CreateResponse.encode(
    {
      oplockLevel: OplockLevel.none,
      flags: 0,
      createAction: CreateAction.opened,
      creationTime: 0n,
      lastAccessTime: 0n,
      lastWriteTime: 0n,
      changeTime: 0n,
      allocationSize: pipeAllocationBytes,
      endOfFile: 0,
      fileAttributes: FileAttribute.normal,
      fileId: { persistent: open.persistentId, volatile: open.volatileId },
    },
    body,
  )
  return request.reply(end)
}
