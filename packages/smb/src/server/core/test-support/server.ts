/** A server with a file room of two dozen lines. */
import { OpenChannelState } from '../channel-sequence.ts'
import type { FileSystem } from '@holdfast/storage'
import { headerSize } from '../../../messages/header.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { ntHash, ntlmMechanism } from '../../../security/ntlm/index.ts'
import type { ShareConfig, SmbServerConfig, SmbServerDependencies } from '../config.ts'
import { StatusError } from '../handler-api.ts'
import type { FileCommands, OpenCloseReason, RequestContext, ServerOpen, TreeContext } from '../handler-api.ts'
import { createSmbProtocol } from '../server.ts'
import type { SmbServer } from '../server.ts'
import { FakeNode } from './fakes.ts'

export class TestOpen implements ServerOpen {
  readonly channel = new OpenChannelState()
  static nextId = 1n
  readonly persistentId = TestOpen.nextId++
  volatileId = 0n
  readonly tree: TreeContext
  gone: OpenCloseReason | undefined
  constructor(tree: TreeContext) {
    this.tree = tree
  }
  onGone(reason: OpenCloseReason): void {
    this.gone = reason
  }
}

const unsupported = (request: RequestContext) => request.fail(NtStatus.NOT_SUPPORTED)

/** CREATE opens (disposition 3 fails: not found; 4: throws a bug; 5: waits for a turn), READ gives 'r's, CHANGE_NOTIFY waits for CANCEL. */
export const testCommands: FileCommands = {
  create(request) {
    const disposition = request.message.readUInt32LE(64 + 36)
    if (disposition === 3) return request.fail(NtStatus.OBJECT_NAME_NOT_FOUND)
    if (disposition === 4) throw new TypeError('a bug')
    const open = request.session.opens.add(new TestOpen(request.tree))
    request.setOpen(open)
    const write = () => {
      const body = request.reserve(89)
      body.fill(0)
      body.writeUInt16LE(89, 0)
      request.session.opens.writeFileId(open, body, 64)
      return request.reply(89)
    }
    return disposition === 5 ? new Promise(resolve => setTimeout(() => resolve(write()), 2)) : write()
  },
  close(request) {
    request.session.opens.remove(request.open!)
    request.reserve(60).fill(0).writeUInt16LE(60, 0)
    return request.reply(60)
  },
  read(request) {
    const length = request.message.readUInt32LE(64 + 4)
    if (length === 1) return request.fail(NtStatus.END_OF_FILE)
    const body = request.reserve(16 + length)
    body.fill(0, 0, 16)
    body.writeUInt16LE(17, 0)
    body[2] = 80
    body.writeUInt32LE(length, 4)
    body.fill('r', 16)
    return request.reply(16 + length)
  },
  async changeNotify(request) {
    request.goAsync({ idle: true })
    request.releaseBytes()
    const reason = await new Promise<string>(resolve => request.onCancel(resolve))
    return request.fail(reason === 'cancelled' ? NtStatus.CANCELLED : NtStatus.NOTIFY_CLEANUP)
  },
  async flush(request) {
    await new Promise(resolve => setTimeout(resolve, 30))
    request.reserve(4).writeUInt32LE(4, 0)
    return request.reply(4)
  },
  ioctl: request => (request.open === undefined ? request.fail(NtStatus.FILE_CLOSED) : request.fail(NtStatus.INVALID_DEVICE_REQUEST)),
  write: unsupported,
  isAwaited: () => false,
  async recover() {},
  /** Another worker is asked first whether it has to wait; without elements it is refused at once. */
  async lock(request) {
    if (request.message.readUInt16LE(headerSize + 2) === 0) throw new StatusError(NtStatus.LOCK_NOT_GRANTED)
    await new Promise(resolve => setTimeout(resolve, 10))
    request.goAsync({ idle: true })
    await new Promise<string>(resolve => request.onCancel(resolve))
    return request.fail(NtStatus.RANGE_NOT_LOCKED)
  },
  queryDirectory: unsupported,
  queryInfo: unsupported,
  /** Waits for a moment as if for an oplock break. */
  async setInfo(request) {
    request.goAsync({ idle: true })
    await new Promise(resolve => setTimeout(resolve, 10))
    return request.fail(NtStatus.ACCESS_DENIED)
  },
  oplockBreak: unsupported,
}

const passwords: Readonly<Record<string, string>> = { alice: 'secret', bob: 'hunter2' }

export function testServer(
  options: {
    node?: FakeNode
    config?: Partial<SmbServerConfig>
    dependencies?: Partial<SmbServerDependencies>
    shares?: readonly ShareConfig[]
  } = {},
): SmbServer {
  const node = options.node ?? new FakeNode()
  const shares: readonly ShareConfig[] = options.shares ?? [
    { name: 'docs' },
    { name: 'sealed', encrypt: true },
    { name: 'bobs', users: ['Bob'] },
    { name: 'fixed', readOnly: true },
  ]
  return createSmbProtocol({ serverGuid: '0a0b0c0d-0102-0304-0506-070809101112', shares, interimDelayMs: 10, ...options.config }, node, {
    fileCommands: testCommands,
    fileSystem: () => ({}) as FileSystem,
    mechanisms: ({ anonymous, onUser }) => [
      ntlmMechanism({
        netbiosName: 'TEST',
        anonymous,
        lookup: user => {
          onUser?.(user)
          const password = passwords[user.toLowerCase()]
          return password === undefined ? undefined : { ntHash: ntHash(password) }
        },
      }),
    ],
    identify: ({ user }) => ({ name: user, domain: 'TEST', sid: `S-1-5-21-1-2-3-${user.length}`, groupSids: [], isAdministrator: false }),
    ...options.dependencies,
  })
}
