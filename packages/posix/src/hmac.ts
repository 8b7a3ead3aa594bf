/**
 * HMAC-SHA-256 by the OpenSSL that Node is linked with, called where it is: 0.4 µs for 250 bytes, where `createHmac` takes 3 µs, most of it for objects. The context keeps the
 * key; EVP_MAC_init(3) without a key begins anew with the one it has.
 */
import { addressAt, allocate } from './addresses.ts'
import { bindCalls, unsupportedReason } from './libc.ts'

/** HMACs with one key, one after the other: `begin`, `update` for each piece, `end`. */
export interface Hmac {
  begin(): void
  /** `bytes[from, to)` are next. */
  update(bytes: Buffer, from: number, to: number): void
  /** Writes the HMAC, 32 bytes, to `into` at byte `at`. */
  end(into: Buffer, at: number): void
}

const digestBytes = 32

function load() {
  if (unsupportedReason !== undefined) return undefined
  try {
    return bindCalls({
      fetch: ['EVP_MAC_fetch', 'int64', 'int64', 'int64', 'int64'],
      newContext: ['EVP_MAC_CTX_new', 'int64', 'int64'],
      init: ['EVP_MAC_init', 'int', 'int64', 'int64', 'int64', 'int64'],
      update: ['EVP_MAC_update', 'int', 'int64', 'int64', 'int64'],
      final: ['EVP_MAC_final', 'int', 'int64', 'int64', 'int64', 'int64'],
    })
  } catch {
    // This Node has its OpenSSL elsewhere, or not at all; callers have `createHmac`.
    return undefined
  }
}

const openssl = load()

/** OSSL_PARAM (3): `{ key, data_type, data, data_size, return_size }`, 40 bytes each; the array ends with one of zeros. */
const parameterBytes = 40
const OSSL_PARAM_UTF8_STRING = 4

/** The names are kept as long as OpenSSL may look at them: for good. */
const macName = allocate(8)
macName.bytes.write('HMAC')
const digestName = allocate(16)
digestName.bytes.write('digest\0SHA256')
const parameters = allocate(2 * parameterBytes)

function describeDigest(): void {
  parameters.bytes.writeBigUInt64LE(BigInt(digestName.address), 0)
  parameters.bytes.writeUInt32LE(OSSL_PARAM_UTF8_STRING, 8)
  parameters.bytes.writeBigUInt64LE(BigInt(digestName.address + 7), 16)
  parameters.bytes.writeBigUInt64LE(6n, 24)
}

let mac = 0

/** HMACs with this key (not empty) by OpenSSL; undefined where it cannot be called. The context lives as long as the process. */
export function opensslHmac(key: Uint8Array): Hmac | undefined {
  if (openssl === undefined || key.length === 0) return undefined
  const { fetch, newContext, init, update, final } = openssl
  if (mac === 0) {
    describeDigest()
    mac = fetch(0, macName.address, 0)
  }
  const context = mac > 0 ? newContext(mac) : 0
  if (context <= 0) return undefined
  const own = allocate(key.length)
  own.bytes.set(key)
  const isKeyed = init(context, own.address, key.length, parameters.address) === 1
  own.bytes.fill(0)
  if (!isKeyed) return undefined
  const must = (result: number): void => {
    if (result !== 1) throw new Error('OpenSSL makes no HMAC')
  }
  return {
    begin: () => must(init(context, 0, 0, 0)),
    update(bytes, from, to) {
      if (from < 0 || to < from || to > bytes.length) throw new RangeError(`no bytes from ${from} to ${to}`)
      if (to > from) must(update(context, addressAt(bytes, from), to - from))
    },
    end(into, at) {
      if (at < 0 || at + digestBytes > into.length) throw new RangeError(`no room at ${at}`)
      must(final(context, addressAt(into, at), 0, digestBytes))
    },
  }
}
