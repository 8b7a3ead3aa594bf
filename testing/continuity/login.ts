/** Sessions of the suite's client: logging in and binding further connections (MS-SMB2 3.2.5.3). */
import {
  Command,
  headerOffset,
  headerSize,
  NtStatus,
  SecurityMode,
  SessionSetupFlags,
  SessionSetupRequest,
  SessionSetupResponse,
} from '@holdfast/smb/messages'
import { createSigner, deriveKeys, ntlmClientMechanism, SpnegoClient } from '@holdfast/smb/security'
import type { Account } from '../peers/server.ts'
import { statusName } from './channel.ts'
import type { Channel } from './channel.ts'

/** How to log in. */
export interface Login {
  readonly account: Account
  /** The session that this one takes the place of (MS-SMB2 2.2.5). */
  readonly previousSessionId?: bigint
  /** A channel of the session that the connection is to be bound to. */
  readonly bindTo?: Channel
}

/** Logs in on a connection, or binds it to a session. Throws when refused. */
export async function logIn(channel: Channel, login: Login): Promise<void> {
  const status = await tryLogIn(channel, login)
  if (status !== NtStatus.SUCCESS) throw new Error(`SESSION_SETUP: ${statusName(status)}`)
}

/** The same; returns the status. */
export async function tryLogIn(channel: Channel, { account, previousSessionId = 0n, bindTo }: Login): Promise<number> {
  const spnego = new SpnegoClient({ mechanisms: [ntlmClientMechanism(account)] })
  const preauth = channel.preauth.clone()
  channel.sessionId = bindTo?.sessionId ?? 0n
  // What binds is signed with the session's key until the channel has its own (3.2.4.2.3).
  channel.signer = bindTo?.signer
  let token = await spnego.step(Buffer.alloc(0))
  for (;;) {
    if (token.done) throw new Error('the authentication ended before the server had its last word')
    const body = SessionSetupRequest.toBytes({
      flags: bindTo === undefined ? 0 : SessionSetupFlags.binding,
      securityMode: SecurityMode.signingEnabled,
      previousSessionId,
      securityBuffer: token.output,
    })
    const answer = await channel.setup(Command.sessionSetup, body, preauth)
    const status = answer.readUInt32LE(headerOffset.status)
    if (status !== NtStatus.SUCCESS && status !== NtStatus.MORE_PROCESSING_REQUIRED) return status
    channel.sessionId = answer.readBigUInt64LE(headerOffset.sessionId)
    if (status === NtStatus.MORE_PROCESSING_REQUIRED) preauth.update(answer)
    token = await spnego.step(SessionSetupResponse.decode(answer, headerSize).securityBuffer)
    if (status === NtStatus.SUCCESS) break
  }
  const { dialect } = channel
  const { signingKey } = deriveKeys({ dialect, sessionKey: spnego.sessionKey ?? Buffer.alloc(16), preauthHash: preauth.value })
  channel.signer = createSigner({ algorithm: dialect >= 0x0300 ? 'AES-CMAC' : 'HMAC-SHA256', key: signingKey })
  return NtStatus.SUCCESS
}
