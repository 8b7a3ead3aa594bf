/** Which targets there are (RFC 7143 4.3, Appendix C): a discovery session of its own. */
import { MalformedError } from '@holdfast/wire'
import {
  finalBit,
  formatText,
  immediateBit,
  LogoutReason,
  LogoutRequest,
  Opcode,
  opcodeOf,
  parseTargets,
  parseText,
  randomIsid,
  reservedTag,
  serialAdd,
  TextAssembler,
  TextFlags,
  TextRequest,
  TextResponse,
} from '../pdu/index.ts'
import type { FoundTarget, TextPair } from '../pdu/index.ts'
import { dial } from './dial.ts'
import type { Dialled } from './dial.ts'
import { IscsiError } from './errors.ts'
import { portalSettings } from './options.ts'
import type { PortalOptions } from './options.ts'
import type { Transport } from './transport.ts'

const cmdSn = 1
const discoveryWanted = { HeaderDigest: ['None'], DataDigest: ['None'] } as const

/** What to ask a portal. */
export interface DiscoverOptions extends PortalOptions {
  /** The one target to ask for; all where left out. */
  readonly target?: string
}

/**
 * Asks a portal for its targets and where they are. Rejects with IscsiError, UsageError, or the signal's reason.
 *
 * @example
 * const targets = await discoverTargets(portal) // { host: '192.0.2.1', port: 3260 }
 * targets.map(({ name }) => name) // => ['iqn.2026-11.io.holdfast:disk0']
 * targets[0].addresses // => [{ ...portal, portalGroupTag: 1 }]
 */
export async function discoverTargets(options: DiscoverOptions): Promise<FoundTarget[]> {
  const settings = portalSettings(options)
  const login = { settings, target: undefined, wanted: discoveryWanted, isid: randomIsid(), tsih: 0, cid: 0, cmdSn, initiatorTaskTag: 1 }
  const asking = await dial({ address: settings, login, signal: options.signal }, dialled => new Discovery(dialled, settings.timeoutMs))
  try {
    return parseTargets(await asking.ask([['SendTargets', options.target ?? 'All']], options.signal))
  } catch (error) {
    throw error instanceof MalformedError ? new IscsiError('MALFORMED', error.message, { cause: error }) : error
  } finally {
    asking.close()
  }
}

/** One discovery session. */
class Discovery {
  readonly #transport: Transport
  readonly #timeoutMs: number
  readonly #text = new TextAssembler()
  readonly #answer = Promise.withResolvers<TextPair[]>()
  #expStatSn: number
  #lastTag = 1

  constructor({ transport, response }: Dialled, timeoutMs: number) {
    this.#transport = transport
    this.#timeoutMs = timeoutMs
    this.#expStatSn = serialAdd(response.statSn, 1)
    transport.owner = {
      ended: error => this.#answer.reject(error ?? new IscsiError('CONNECTION_LOST', 'the target closed the connection')),
      received: ({ bytes, at, dataAt, dataBytes }) => {
        // Anything else is of no consequence to one who is about to leave.
        if (opcodeOf(bytes, at) !== Opcode.textResponse) return
        this.#received(TextResponse.decode(bytes, at), bytes.subarray(dataAt, dataAt + dataBytes))
      },
    }
    // Rejected before anybody asked is no crash.
    this.#answer.promise.catch(() => undefined)
  }

  async ask(pairs: readonly TextPair[], signal: AbortSignal | undefined): Promise<TextPair[]> {
    const timer = setTimeout(() => this.#answer.reject(new IscsiError('TIMEOUT', 'the target does not answer SendTargets')), this.#timeoutMs)
    const onAbort = (): void => this.#answer.reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#send(formatText(pairs), reservedTag)
    try {
      return await this.#answer.promise
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Says goodbye and does not wait for an answer. */
  close(): void {
    this.#transport.put(LogoutRequest, {
      flags: finalBit | LogoutReason.closeSession,
      initiatorTaskTag: ++this.#lastTag,
      cmdSn,
      expStatSn: this.#expStatSn,
    })
    setImmediate(() => this.#transport.destroy())
  }

  #received({ flags, statSn, targetTransferTag }: TextResponse, segment: Buffer): void {
    this.#expStatSn = serialAdd(statSn, 1)
    const isMore = (flags & TextFlags.continue) !== 0 || targetTransferTag !== reservedTag
    const whole = this.#text.add(segment, isMore)
    // An empty request with the target's tag asks for the rest (11.10.4).
    if (whole === undefined) this.#send(Buffer.alloc(0), targetTransferTag)
    else this.#answer.resolve(parseText(whole))
  }

  #send(text: Buffer, targetTransferTag: number): void {
    this.#transport.put(
      TextRequest,
      {
        opcode: Opcode.textRequest | immediateBit,
        flags: finalBit,
        dataSegmentLength: text.length,
        initiatorTaskTag: ++this.#lastTag,
        targetTransferTag,
        cmdSn,
        expStatSn: this.#expStatSn,
      },
      { data: text },
    )
  }
}
