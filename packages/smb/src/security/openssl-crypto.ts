import { createRequire } from 'node:module'
import type koffiModule from 'koffi'
import { tagLengthBytes } from './crypto.ts'
import type { AeadAlgorithm, AeadContext, CryptoProvider, Direction, MacAlgorithm, MacContext } from './crypto.ts'

/*
 * The OpenSSL 3 that is linked into Node's own binary, called through FFI. Beside node:crypto this works in place on a view of shared memory,
 * keeps the key schedule from message to message, and allocates nothing per message (4 KiB GMAC: 0.7 against 2.7 µs; 1 MiB GCM: 85 against 190 µs).
 */

// <openssl/evp.h>, <openssl/core.h>
const ctrlSetIvLength = 0x9
const ctrlGetTag = 0x10
const ctrlSetTag = 0x11
const paramUtf8String = 4
const paramLengthBytes = 40

type Koffi = typeof koffiModule
type Pointer = bigint
type Memory = Buffer | Pointer | null

interface OpenSsl {
  cipherContextNew(): Pointer
  cipherContextFree(context: Pointer): void
  cipherInit(context: Pointer, cipher: Pointer | null, engine: null, key: Memory, iv: Memory, encrypting: number): number
  cipherUpdate(context: Pointer, out: Memory, outLength: Buffer, input: Memory, lengthBytes: number): number
  cipherFinal(context: Pointer, out: Buffer, outLength: Buffer): number
  cipherControl(context: Pointer, control: number, argument: number, memory: Memory): number
  ciphers: Record<AeadAlgorithm, () => Pointer>
  macFetch(library: null, name: string, properties: null): Pointer
  macContextNew(mac: Pointer): Pointer
  macContextFree(context: Pointer): void
  macInit(context: Pointer, key: Memory, lengthBytes: number, parameters: Memory): number
  macUpdate(context: Pointer, input: Buffer, lengthBytes: number): number
  macFinal(context: Pointer, out: Buffer, outLength: Buffer, outSize: number): number
  clearErrors(): void
}

/** Binds the functions. Throws when one is missing, or this is not a 64-bit process. */
function bind(koffi: Koffi): OpenSsl {
  if (koffi.sizeof('void *') !== 8) throw new Error('OSSL_PARAM is laid out for 64 bits')
  const library = koffi.load(null)
  const bound = (definition: string) => library.func(definition) as unknown as (...values: unknown[]) => never
  return {
    cipherContextNew: bound('void *EVP_CIPHER_CTX_new(void)'),
    cipherContextFree: bound('void EVP_CIPHER_CTX_free(void *)'),
    cipherInit: bound('int EVP_CipherInit_ex(void *, void *, void *, void *, void *, int)'),
    cipherUpdate: bound('int EVP_CipherUpdate(void *, void *, void *, void *, int)'),
    cipherFinal: bound('int EVP_CipherFinal_ex(void *, void *, void *)'),
    cipherControl: bound('int EVP_CIPHER_CTX_ctrl(void *, int, int, void *)'),
    ciphers: {
      'AES-128-CCM': bound('void *EVP_aes_128_ccm(void)'),
      'AES-128-GCM': bound('void *EVP_aes_128_gcm(void)'),
      'AES-256-CCM': bound('void *EVP_aes_256_ccm(void)'),
      'AES-256-GCM': bound('void *EVP_aes_256_gcm(void)'),
    },
    macFetch: bound('void *EVP_MAC_fetch(void *, const char *, void *)'),
    macContextNew: bound('void *EVP_MAC_CTX_new(void *)'),
    macContextFree: bound('void EVP_MAC_CTX_free(void *)'),
    macInit: bound('int EVP_MAC_init(void *, void *, size_t, void *)'),
    macUpdate: bound('int EVP_MAC_update(void *, void *, size_t)'),
    macFinal: bound('int EVP_MAC_final(void *, void *, void *, size_t)'),
    clearErrors: bound('void ERR_clear_error(void)'),
  }
}

/** Our own bug, or OpenSSL out of memory: nothing that a peer can bring about. */
function must(result: number, what: string): void {
  if (result !== 1) throw new Error(`OpenSSL: ${what} failed`)
}

/** A list with one text parameter and its end. The buffers must live as long as the list is used. */
function textParameter(koffi: Koffi, name: string, value: string): { list: Buffer; keep: Buffer[] } {
  const nameText = Buffer.from(`${name}\0`)
  const valueText = Buffer.from(`${value}\0`)
  const list = Buffer.alloc(2 * paramLengthBytes)
  list.writeBigUInt64LE(koffi.address(nameText), 0)
  list.writeUInt32LE(paramUtf8String, 8)
  list.writeBigUInt64LE(koffi.address(valueText), 16)
  list.writeBigUInt64LE(BigInt(value.length), 24)
  return { list, keep: [nameText, valueText] }
}

const macParameters: Record<MacAlgorithm, { mac: string; parameter: string; value: string }> = {
  'AES-CMAC': { mac: 'CMAC', parameter: 'cipher', value: 'AES-128-CBC' },
  'HMAC-SHA256': { mac: 'HMAC', parameter: 'digest', value: 'SHA256' },
}

class OpenSslAead implements AeadContext {
  readonly #openssl: OpenSsl
  readonly #safetyNet: FinalizationRegistry<Pointer>
  readonly #encrypting: boolean
  readonly #isCcm: boolean
  // Per context, so that it never depends on what another call left there.
  readonly #length = Buffer.alloc(8)
  #context: Pointer

  constructor(
    openssl: OpenSsl,
    safetyNet: FinalizationRegistry<Pointer>,
    options: { algorithm: AeadAlgorithm; direction: Direction; key: Uint8Array },
  ) {
    this.#openssl = openssl
    this.#safetyNet = safetyNet
    this.#encrypting = options.direction === 'encrypt'
    this.#isCcm = options.algorithm.endsWith('CCM')
    this.#context = openssl.cipherContextNew()
    safetyNet.register(this, this.#context, this)
    const encrypting = this.#encrypting ? 1 : 0
    must(openssl.cipherInit(this.#context, openssl.ciphers[options.algorithm](), null, null, null, encrypting), 'cipher')
    must(openssl.cipherControl(this.#context, ctrlSetIvLength, this.#isCcm ? 11 : 12, null), 'nonce length')
    if (this.#isCcm) must(openssl.cipherControl(this.#context, ctrlSetTag, tagLengthBytes, null), 'tag length')
    must(openssl.cipherInit(this.#context, null, null, Buffer.from(options.key), null, encrypting), 'key')
  }

  run(nonce: Buffer, aad: Buffer, bytes: Buffer, tag: Buffer): boolean {
    const openssl = this.#openssl
    const context = this.#context
    const length = this.#length
    const encrypting = this.#encrypting
    if (context === 0n) throw new Error('closed')
    must(openssl.cipherInit(context, null, null, null, nonce, encrypting ? 1 : 0), 'nonce')
    if (!encrypting) must(openssl.cipherControl(context, ctrlSetTag, tagLengthBytes, tag), 'tag')
    // CCM authenticates the length first, so it must be told (RFC 3610 2.2).
    if (this.#isCcm) must(openssl.cipherUpdate(context, null, length, null, bytes.length), 'message length')
    must(openssl.cipherUpdate(context, null, length, aad, aad.length), 'additional data')
    if (openssl.cipherUpdate(context, bytes, length, bytes, bytes.length) !== 1) {
      // CCM compares the tag here already.
      if (encrypting || !this.#isCcm) throw new Error('OpenSSL: message failed')
      openssl.clearErrors()
      return false
    }
    if (encrypting) {
      must(openssl.cipherFinal(context, tag, length), 'final')
      must(openssl.cipherControl(context, ctrlGetTag, tagLengthBytes, tag), 'tag')
      return true
    }
    if (this.#isCcm || openssl.cipherFinal(context, tag, length) === 1) return true
    openssl.clearErrors()
    return false
  }

  authenticate(nonce: Buffer, first: Buffer, rest: Buffer, tag: Buffer): void {
    const openssl = this.#openssl
    const context = this.#context
    const length = this.#length
    if (context === 0n) throw new Error('closed')
    must(openssl.cipherInit(context, null, null, null, nonce, 1), 'nonce')
    must(openssl.cipherUpdate(context, null, length, first, first.length), 'additional data')
    if (rest.length > 0) must(openssl.cipherUpdate(context, null, length, rest, rest.length), 'additional data')
    must(openssl.cipherFinal(context, tag, length), 'final')
    must(openssl.cipherControl(context, ctrlGetTag, tagLengthBytes, tag), 'tag')
  }

  close(): void {
    if (this.#context === 0n) return
    this.#safetyNet.unregister(this)
    this.#openssl.cipherContextFree(this.#context)
    this.#context = 0n
  }
}

class OpenSslMac implements MacContext {
  readonly #openssl: OpenSsl
  readonly #safetyNet: FinalizationRegistry<Pointer>
  readonly #whole = Buffer.alloc(64)
  readonly #length = Buffer.alloc(8)
  #context: Pointer

  constructor(
    openssl: OpenSsl,
    safetyNet: FinalizationRegistry<Pointer>,
    options: { koffi: Koffi; mac: Pointer; algorithm: MacAlgorithm; key: Uint8Array },
  ) {
    this.#openssl = openssl
    this.#safetyNet = safetyNet
    this.#context = openssl.macContextNew(options.mac)
    safetyNet.register(this, this.#context, this)
    const { parameter, value } = macParameters[options.algorithm]
    const parameters = textParameter(options.koffi, parameter, value)
    must(openssl.macInit(this.#context, Buffer.from(options.key), options.key.length, parameters.list), 'MAC key')
    parameters.keep.length = 0
  }

  compute(first: Buffer, rest: Buffer, tag: Buffer): void {
    const openssl = this.#openssl
    const context = this.#context
    if (context === 0n) throw new Error('closed')
    must(openssl.macInit(context, null, 0, null), 'MAC')
    if (first.length > 0) must(openssl.macUpdate(context, first, first.length), 'MAC message')
    if (rest.length > 0) must(openssl.macUpdate(context, rest, rest.length), 'MAC message')
    must(openssl.macFinal(context, this.#whole, this.#length, this.#whole.length), 'MAC final')
    this.#whole.copy(tag, 0, 0, tagLengthBytes)
  }

  close(): void {
    if (this.#context === 0n) return
    this.#safetyNet.unregister(this)
    this.#openssl.macContextFree(this.#context)
    this.#context = 0n
  }
}

/** The provider. Throws when this Node does not offer what is needed. */
export function openSslCrypto(): CryptoProvider {
  // Not a static import: where koffi has no binary for the platform, loading it throws.
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const openssl = bind(koffi)
  const macs = new Map<MacAlgorithm, Pointer>()
  for (const algorithm of Object.keys(macParameters) as MacAlgorithm[]) {
    const mac = openssl.macFetch(null, macParameters[algorithm].mac, null)
    if (!mac) throw new Error(`OpenSSL has no ${algorithm}`)
    macs.set(algorithm, mac)
  }
  // Only for who forgets to close.
  const ciphersLost = new FinalizationRegistry<Pointer>(context => openssl.cipherContextFree(context))
  const macsLost = new FinalizationRegistry<Pointer>(context => openssl.macContextFree(context))
  return {
    name: 'openssl',
    createAead: (algorithm, direction, key) => new OpenSslAead(openssl, ciphersLost, { algorithm, direction, key }),
    createMac: (algorithm, key) => new OpenSslMac(openssl, macsLost, { koffi, algorithm, key, mac: macs.get(algorithm)! }),
  }
}
