/**
 * The acceptor's side of Kerberos by GSS-API (RFC 2743, RFC 4121), of the system's MIT library. All calls are synchronous and short.
 * Whatever a peer sends goes to the library as bytes with their length; what the library gives is copied and released at once.
 */
import { CallMemory, gssLibrary } from './gssapi-library.ts'
import type { GssLibrary, Handle } from './gssapi-library.ts'

export { GssUnavailableError } from './gssapi-library.ts'

/** 1.2.840.113554.1.2.2: Kerberos (RFC 4121 4.1). */
const kerberosOid = Buffer.from('2a864886f712010202', 'hex')
/** 1.2.840.113554.1.2.2.5.5: GSS_C_INQ_SSPI_SESSION_KEY (<gssapi/gssapi_ext.h>). */
const sessionKeyOid = Buffer.from('2a864886f7120102020505', 'hex')

const indefinite = 0xffffffff
const usageAccept = 2
const statusComplete = 0
const typeGssCode = 1
const typeMechanismCode = 2

/** Routine errors by number (RFC 2744 3.9.1), as `code` of a `GssError`. */
const routineErrors: Readonly<Record<number, string>> = {
  7: 'GSS_NO_CREDENTIAL',
  9: 'GSS_DEFECTIVE_TOKEN',
  10: 'GSS_DEFECTIVE_CREDENTIAL',
  11: 'GSS_CREDENTIALS_EXPIRED',
  12: 'GSS_CONTEXT_EXPIRED',
}

const errorTableBase = -1765328384
/** Kerberos' own errors (RFC 4120 7.5.9, and some of <krb5/krb5.h>), by their distance from the table's base. */
const kerberosErrors: Readonly<Record<number, string>> = {
  31: 'KRB_INTEGRITY',
  32: 'KRB_TICKET_EXPIRED',
  33: 'KRB_TICKET_NOT_YET_VALID',
  34: 'KRB_REPLAY',
  35: 'KRB_WRONG_KEY',
  37: 'KRB_CLOCK_SKEW',
  40: 'GSS_DEFECTIVE_TOKEN',
  41: 'KRB_INTEGRITY',
  44: 'KRB_WRONG_KEY',
  45: 'KRB_WRONG_KEY',
  144: 'KRB_WRONG_KEY', // KRB5KRB_AP_WRONG_PRINC
  181: 'KRB_WRONG_KEY', // KRB5_KT_NOTFOUND
  230: 'KRB_WRONG_KEY', // KRB5_KT_KVNONOTFOUND
}

/** A call of the library that failed. `code` is stable (`KRB_CLOCK_SKEW`, `GSS_DEFECTIVE_TOKEN`, …); the message is the library's. */
export class GssError extends Error {
  readonly code: string
  readonly major: number
  readonly minor: number
  constructor(options: { readonly code: string; readonly major: number; readonly minor: number; readonly message: string }) {
    super(options.message)
    this.name = 'GssError'
    this.code = options.code
    this.major = options.major
    this.minor = options.minor
  }
}

/** Where the acceptor's keys are. */
export interface GssAcceptorOptions {
  /** A keytab's path. It is read at every login: keys may change meanwhile. */
  readonly keytab: string
  /** A file that remembers what was accepted, so that it is not accepted twice; made where it is missing. */
  readonly replayCache: string
}

/** A client that was accepted. */
export interface GssAccepted {
  /** The token for the client, which proves that this is the server; empty where the client does not ask for it. */
  readonly output: Buffer
  /** Its principal, as the library writes it: `alice@REALM`, with `\` before what would be misread. */
  readonly client: string
  /** The principal its ticket is for. */
  readonly service: string
  /** Of the context, with what the library grants for clocks that differ; Infinity when it does not end. */
  readonly lifetimeSeconds: number
  /** As long as its type is: 32 bytes of AES-256, 16 of AES-128. */
  readonly sessionKey: Buffer
}

/** The server's credential: all keys of a keytab. Throws `GssUnavailableError`, `GssError`. */
export class GssAcceptor implements Disposable {
  readonly #library: GssLibrary
  readonly #credential = Buffer.alloc(8)

  constructor({ keytab, replayCache }: GssAcceptorOptions) {
    const library = gssLibrary()
    this.#library = library
    const memory = new CallMemory(library)
    const pairs = Buffer.alloc(32)
    for (const [at, text] of ['keytab', `FILE:${keytab}`, 'rcache', `file2:${replayCache}`].entries()) {
      pairs.writeBigUInt64LE(memory.text(text), at * 8)
    }
    const mechanisms = memory.counted(1, memory.counted(kerberosOid.length, kerberosOid))
    const store = memory.counted(2, pairs)
    const minor = Buffer.alloc(4)
    const major = library.functions.acquireCredFrom(minor, null, indefinite, mechanisms, usageAccept, store, this.#credential, null, null)
    memory.keepAlive()
    if (major !== statusComplete) throw failure(library, major, minor)
  }

  /** Starts one login. Close it. */
  begin(): GssContext {
    return new GssContext(this.#library, () => this.#credential.readBigUInt64LE())
  }

  /** No login may be under way. */
  [Symbol.dispose](): void {
    if (this.#credential.readBigUInt64LE() === 0n) return
    this.#library.functions.releaseCred(Buffer.alloc(4), this.#credential)
    this.#credential.fill(0)
  }
}

// Only for contexts that nobody closed: of a client that left between two tokens.
const lost = new FinalizationRegistry<{ library: GssLibrary; context: Buffer }>(({ library, context }) => deleteContext(library, context))

function deleteContext(library: GssLibrary, context: Buffer): void {
  if (context.readBigUInt64LE() === 0n) return
  library.functions.deleteSecContext(Buffer.alloc(4), context, null)
  context.fill(0)
}

/** One login. */
export class GssContext implements Disposable {
  readonly #library: GssLibrary
  readonly #credential: () => Handle
  readonly #context = Buffer.alloc(8)
  #closed = false

  constructor(library: GssLibrary, credential: () => Handle) {
    this.#library = library
    this.#credential = credential
    lost.register(this, { library, context: this.#context }, this)
  }

  /** Takes the client's only token. Throws `GssError`; the context is gone then. */
  accept(token: Uint8Array): GssAccepted {
    if (this.#closed) throw new Error('the context is closed')
    try {
      return this.#accept(token)
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  /** GSS_GetMIC. Throws `GssError`. */
  getMic(message: Uint8Array): Buffer {
    const library = this.#library
    const memory = new CallMemory(library)
    const [minor, mic] = [Buffer.alloc(4), Buffer.alloc(16)]
    const major = library.functions.getMic(minor, this.#established(), 0, memory.buffer(message), mic)
    memory.keepAlive()
    const bytes = takeBuffer(library, mic)
    if (major !== statusComplete) throw failure(library, major, minor)
    return bytes
  }

  /** GSS_VerifyMIC. */
  verifyMic(message: Uint8Array, mic: Uint8Array): boolean {
    const library = this.#library
    const memory = new CallMemory(library)
    const major = library.functions.verifyMic(Buffer.alloc(4), this.#established(), memory.buffer(message), memory.buffer(mic), null)
    memory.keepAlive()
    // Also not one that is old or out of order: those are bits beside a success.
    return major === statusComplete
  }

  /** Idempotent. */
  [Symbol.dispose](): void {
    this.#closed = true
    lost.unregister(this)
    deleteContext(this.#library, this.#context)
  }

  #established(): Handle {
    const context = this.#context.readBigUInt64LE()
    if (context === 0n) throw new Error('the context is closed')
    return context
  }

  #accept(token: Uint8Array): GssAccepted {
    const library = this.#library
    const memory = new CallMemory(library)
    const [minor, flags, lifetime] = [Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(4)]
    const [name, mechanism, outputToken] = [Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(16)]
    const input = memory.buffer(token)
    const major = library.functions.acceptSecContext(
      minor,
      this.#context,
      this.#credential(),
      input,
      null,
      name,
      mechanism,
      outputToken,
      flags,
      lifetime,
      null,
    )
    memory.keepAlive()
    const output = takeBuffer(library, outputToken)
    try {
      // Also what the library would continue: three tokens are DCE/RPC's way (GSS_C_DCE_STYLE), and to some nonsense it answers so too.
      if (major !== statusComplete) throw failure(library, major, minor)
      const seconds = lifetime.readUInt32LE()
      const client = nameText(library, name)
      return {
        output,
        client,
        service: this.#service(),
        lifetimeSeconds: seconds === indefinite ? Infinity : seconds,
        sessionKey: this.#sessionKey(),
      }
    } finally {
      releaseName(library, name)
    }
  }

  #service(): string {
    const library = this.#library
    const [minor, name] = [Buffer.alloc(4), Buffer.alloc(8)]
    const major = library.functions.inquireContext(minor, this.#established(), null, name, null, null, null, null, null)
    try {
      if (major !== statusComplete) throw failure(library, major, minor)
      return nameText(library, name)
    } finally {
      releaseName(library, name)
    }
  }

  #sessionKey(): Buffer {
    const library = this.#library
    const memory = new CallMemory(library)
    const [minor, set] = [Buffer.alloc(4), Buffer.alloc(8)]
    const major = library.functions.inquireSecContextByOid(minor, this.#established(), memory.counted(sessionKeyOid.length, sessionKeyOid), set)
    memory.keepAlive()
    try {
      if (major !== statusComplete) throw failure(library, major, minor)
      // gss_buffer_set_desc: a count and an array of buffers; the first is the key, the second says of what type.
      const head = library.copy(set.readBigUInt64LE(), 16)
      if (head.readBigUInt64LE(0) < 1n) throw new Error('the context has no session key')
      return copyBuffer(library, library.copy(head.readBigUInt64LE(8), 16))
    } finally {
      if (set.readBigUInt64LE() !== 0n) library.functions.releaseBufferSet(Buffer.alloc(4), set)
    }
  }
}

/** The bytes of a gss_buffer_desc. */
const copyBuffer = (library: GssLibrary, buffer: Buffer): Buffer => library.copy(buffer.readBigUInt64LE(8), Number(buffer.readBigUInt64LE(0)))

/** The bytes of a gss_buffer_desc that the library filled, which is released. */
function takeBuffer(library: GssLibrary, buffer: Buffer): Buffer {
  if (buffer.readBigUInt64LE(8) === 0n) return Buffer.alloc(0)
  const bytes = copyBuffer(library, buffer)
  library.functions.releaseBuffer(Buffer.alloc(4), buffer)
  return bytes
}

function nameText(library: GssLibrary, name: Buffer): string {
  const [minor, text] = [Buffer.alloc(4), Buffer.alloc(16)]
  const major = library.functions.displayName(minor, name.readBigUInt64LE(), text, null)
  const bytes = takeBuffer(library, text)
  if (major !== statusComplete) throw failure(library, major, minor)
  return bytes.toString('utf8')
}

function releaseName(library: GssLibrary, name: Buffer): void {
  if (name.readBigUInt64LE() !== 0n) library.functions.releaseName(Buffer.alloc(4), name)
}

function failure(library: GssLibrary, major: number, minorBytes: Buffer): GssError {
  const minor = minorBytes.readInt32LE()
  const code = kerberosErrors[minor - errorTableBase] ?? routineErrors[(major >>> 16) & 0xff] ?? 'GSS_FAILURE'
  const texts = [statusText(library, major, typeGssCode), ...(minor === 0 ? [] : [statusText(library, minor >>> 0, typeMechanismCode)])]
  return new GssError({ code, major, minor, message: texts.filter(text => text !== '').join(': ') })
}

function statusText(library: GssLibrary, value: number, type: number): string {
  const memory = new CallMemory(library)
  const mechanism = type === typeMechanismCode ? memory.counted(kerberosOid.length, kerberosOid) : null
  const text = Buffer.alloc(16)
  const major = library.functions.displayStatus(Buffer.alloc(4), value, type, mechanism, Buffer.alloc(4), text)
  memory.keepAlive()
  const shown = takeBuffer(library, text).toString('utf8')
  return major === statusComplete ? shown : ''
}
