/** Connects and logs in, following redirections (RFC 7143 11.13.5). */
import { MalformedError } from '@holdfast/wire'
import { LoginRequest, LoginResponse, Opcode, opcodeOf } from '../pdu/index.ts'
import type { TargetAddress } from '../pdu/index.ts'
import { IscsiError } from './errors.ts'
import { Login } from './login.ts'
import type { LoginOptions, LoginOutcome, LoginStep } from './login.ts'
import { Transport } from './transport.ts'

/** More redirections than these lead in a circle. */
const redirectionsMax = 8

/** Where a login went, and what came of it. */
export interface Dialled {
  readonly transport: Transport
  readonly outcome: LoginOutcome
  /** The last Login Response. */
  readonly response: LoginResponse
  /** Where the target said to go from now on; undefined where it is as before. */
  readonly movedTo: TargetAddress | undefined
}

/** What to dial. */
export interface DialOptions {
  readonly address: Pick<TargetAddress, 'host' | 'port'>
  readonly login: LoginOptions
  readonly signal?: AbortSignal | undefined
}

/**
 * Logs in. `made` is called while the last response is handled, before the next PDU: it takes the transport over, and its result is the call's.
 * Rejects with IscsiError, MalformedError, or the signal's reason.
 */
export async function dial<T>({ address, login, signal }: DialOptions, made: (dialled: Dialled) => T): Promise<T> {
  const { timeoutMs, receiveBytesMax } = login.settings
  let next: Pick<TargetAddress, 'host' | 'port'> = address
  let movedTo: TargetAddress | undefined
  for (let hop = 0; hop <= redirectionsMax; hop++) {
    const transport = await Transport.connect({ ...next, timeoutMs, signal, dataBytesMax: receiveBytesMax })
    const result = await runLogin(transport, login, signal, dialled => made({ ...dialled, movedTo }))
    if (!('address' in result)) return result.made
    next = result.address
    if (result.isPermanent) movedTo = result.address
  }
  throw new IscsiError('LOGIN_FAILED', `more than ${redirectionsMax} redirections`)
}

type LoginResult<T> = { readonly made: T } | { readonly address: TargetAddress; readonly isPermanent: boolean }

async function runLogin<T>(
  transport: Transport,
  options: LoginOptions,
  signal: AbortSignal | undefined,
  made: (dialled: Omit<Dialled, 'movedTo'>) => T,
): Promise<LoginResult<T>> {
  const { timeoutMs } = options.settings
  const { promise, resolve, reject } = Promise.withResolvers<LoginResult<T>>()
  const login = new Login(options)
  let expStatSn = 0
  const send = ({ header, text }: LoginStep): void =>
    transport.put(LoginRequest, { ...header, expStatSn, dataSegmentLength: text.length }, { data: text })
  const timer = setTimeout(() => reject(new IscsiError('TIMEOUT', `the target does not answer a login within ${timeoutMs} ms`)), timeoutMs)
  const onAbort = (): void => reject(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  transport.owner = {
    ended: error => reject(error ?? new IscsiError('CONNECTION_LOST', 'the target closed the connection during the login')),
    received({ bytes, at, dataAt, dataBytes }) {
      if (opcodeOf(bytes, at) !== Opcode.loginResponse) throw new MalformedError('bad-login', `opcode ${opcodeOf(bytes, at)} during the login`)
      const response = LoginResponse.decode(bytes, at)
      expStatSn = (response.statSn + 1) >>> 0
      const progress = login.receive(response, Buffer.from(bytes.subarray(dataAt, dataAt + dataBytes)))
      timer.refresh()
      if (progress.kind === 'send') for (const step of progress.steps) send(step)
      else if (progress.kind === 'redirect') resolve(progress)
      else {
        const { agreed } = progress.outcome
        transport.digests = { header: agreed.HeaderDigest === 'CRC32C', data: agreed.DataDigest === 'CRC32C' }
        resolve({ made: made({ transport, outcome: progress.outcome, response }) })
      }
    },
  }
  send(login.begin())
  try {
    const result = await promise
    if ('address' in result) transport.destroy()
    return result
  } catch (error) {
    transport.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}
