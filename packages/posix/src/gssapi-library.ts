/** MIT's libgssapi_krb5 through koffi: the functions, and the shapes that they take (RFC 2744, <gssapi/gssapi_ext.h>). Loaded on first use. */
import { createRequire } from 'node:module'
import type koffiModule from 'koffi'

/** An object of the library; 0n is none. */
export type Handle = bigint
type Memory = Uint8Array | Handle | null

/** OM_uint32: what each function returns as its major status. */
type Major = number

/** The functions by their names without `gss_`. The first argument is always where the minor status goes, 4 bytes. */
export interface GssFunctions {
  acquireCredFrom(
    minor: Buffer,
    name: null,
    seconds: number,
    mechanisms: Memory,
    usage: number,
    store: Memory,
    credential: Buffer,
    actual: null,
    lifetime: null,
  ): Major
  acceptSecContext(
    minor: Buffer,
    context: Buffer,
    credential: Handle,
    token: Buffer,
    bindings: null,
    client: Buffer,
    mechanism: Buffer,
    output: Buffer,
    flags: Buffer,
    lifetime: Buffer,
    delegated: null,
  ): Major
  inquireContext(
    minor: Buffer,
    context: Handle,
    initiator: null,
    acceptor: Buffer,
    lifetime: null,
    mechanism: null,
    flags: null,
    local: null,
    open: null,
  ): Major
  inquireSecContextByOid(minor: Buffer, context: Handle, oid: Buffer, set: Buffer): Major
  displayName(minor: Buffer, name: Handle, text: Buffer, type: null): Major
  displayStatus(minor: Buffer, value: number, type: number, mechanism: Memory, more: Buffer, text: Buffer): Major
  getMic(minor: Buffer, context: Handle, quality: number, message: Buffer, mic: Buffer): Major
  verifyMic(minor: Buffer, context: Handle, message: Buffer, mic: Buffer, quality: null): Major
  deleteSecContext(minor: Buffer, context: Buffer, token: null): Major
  releaseCred(minor: Buffer, credential: Buffer): Major
  releaseName(minor: Buffer, name: Buffer): Major
  releaseBuffer(minor: Buffer, buffer: Buffer): Major
  releaseBufferSet(minor: Buffer, set: Buffer): Major
}

const declarations: Readonly<Record<keyof GssFunctions, string>> = {
  acquireCredFrom: 'uint32_t gss_acquire_cred_from(void *, void *, uint32_t, void *, int, void *, void *, void *, void *)',
  acceptSecContext: 'uint32_t gss_accept_sec_context(void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *)',
  inquireContext: 'uint32_t gss_inquire_context(void *, void *, void *, void *, void *, void *, void *, void *, void *)',
  inquireSecContextByOid: 'uint32_t gss_inquire_sec_context_by_oid(void *, void *, void *, void *)',
  displayName: 'uint32_t gss_display_name(void *, void *, void *, void *)',
  displayStatus: 'uint32_t gss_display_status(void *, uint32_t, int, void *, void *, void *)',
  getMic: 'uint32_t gss_get_mic(void *, void *, uint32_t, void *, void *)',
  verifyMic: 'uint32_t gss_verify_mic(void *, void *, void *, void *, void *)',
  deleteSecContext: 'uint32_t gss_delete_sec_context(void *, void *, void *)',
  releaseCred: 'uint32_t gss_release_cred(void *, void *)',
  releaseName: 'uint32_t gss_release_name(void *, void *)',
  releaseBuffer: 'uint32_t gss_release_buffer(void *, void *)',
  releaseBufferSet: 'uint32_t gss_release_buffer_set(void *, void *)',
}

/** The library is not there, or this process cannot call it. */
export class GssUnavailableError extends Error {
  readonly code = 'GSSAPI_UNAVAILABLE'
  constructor(reason: string, options?: ErrorOptions) {
    super(`Kerberos needs ${libraryName} of MIT Kerberos (Debian: apt-get install libgssapi-krb5-2): ${reason}`, options)
    this.name = 'GssUnavailableError'
  }
}

const libraryName = 'libgssapi_krb5.so.2'

/** The library, and memory of it. */
export interface GssLibrary {
  readonly functions: GssFunctions
  addressOf(bytes: Uint8Array): Handle
  /** A copy of so many bytes. */
  copy(from: Handle, lengthBytes: number): Buffer
}

let loaded: GssLibrary | undefined

/** Throws `GssUnavailableError` where there is no library. */
export function gssLibrary(): GssLibrary {
  return (loaded ??= load())
}

function load(): GssLibrary {
  try {
    // Not a static import: where koffi has no binary for the platform, loading it throws.
    const koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule
    if (koffi.sizeof('void *') !== 8) throw new Error('this process does not have 64 bits')
    const library = koffi.load(libraryName)
    const functions = Object.fromEntries(Object.entries(declarations).map(([name, declaration]) => [name, library.func(declaration)]))
    const memcpy = koffi.load(null).func('void *memcpy(void *, void *, size_t)')
    return {
      // The declarations above are those of the interface.
      functions: functions as unknown as GssFunctions,
      addressOf: bytes => koffi.address(bytes),
      copy(from, lengthBytes) {
        const bytes = Buffer.alloc(lengthBytes)
        if (lengthBytes > 0) memcpy(bytes, from, lengthBytes)
        return bytes
      },
    }
  } catch (error) {
    throw new GssUnavailableError((error as Error).message.split('\n')[0], { cause: error })
  }
}

/**
 * Memory for one call: structures that point to one another. `keepAlive` after the call, so that nothing of it is collected before.
 */
export class CallMemory {
  readonly #library: GssLibrary
  readonly #kept: Uint8Array[] = []

  constructor(library: GssLibrary) {
    this.#library = library
  }

  /** The address of bytes that live as long as this. */
  pointerTo(bytes: Uint8Array): Handle {
    this.#kept.push(bytes)
    return this.#library.addressOf(bytes)
  }

  /** gss_buffer_desc: a length and bytes of our own. */
  buffer(bytes: Uint8Array): Buffer {
    return this.#lengthAndPointer(BigInt(bytes.length), bytes)
  }

  /** gss_OID_desc from DER content; also gss_OID_set_desc and gss_key_value_set_desc: a count and an array. */
  counted(count: number, items: Uint8Array): Buffer {
    return this.#lengthAndPointer(BigInt(count), items)
  }

  /** A zero-terminated text. Throws TypeError for one that has a zero in it. */
  text(text: string): Handle {
    if (text.includes('\0')) throw new TypeError('a text with a zero byte')
    return this.pointerTo(Buffer.from(`${text}\0`))
  }

  keepAlive(): void {
    this.#kept.length = 0
  }

  #lengthAndPointer(length: bigint, bytes: Uint8Array): Buffer {
    const structure = Buffer.alloc(16)
    structure.writeBigUInt64LE(length, 0)
    structure.writeBigUInt64LE(bytes.length === 0 ? 0n : this.pointerTo(bytes), 8)
    this.#kept.push(structure)
    return structure
  }
}
