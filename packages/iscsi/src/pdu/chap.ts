/** CHAP (RFC 1994; RFC 7143 12.1.3): the arithmetic of challenge and response. */
import { createHash, timingSafeEqual } from 'node:crypto'

/** Algorithms by the number that CHAP_A gives them (IANA, PPP Authentication Algorithms), with the bytes of a response; the best first. */
export const chapAlgorithms = Object.freeze([
  { number: 8, hash: 'sha3-256', responseBytes: 32 },
  { number: 7, hash: 'sha256', responseBytes: 32 },
  { number: 6, hash: 'sha1', responseBytes: 20 },
  { number: 5, hash: 'md5', responseBytes: 16 },
] as const)
/** One of `chapAlgorithms`. */
export type ChapAlgorithm = (typeof chapAlgorithms)[number]

/** The algorithm with a number; undefined for one that is not there. */
export const chapAlgorithm = (number: number): ChapAlgorithm | undefined => chapAlgorithms.find(algorithm => algorithm.number === number)

/** What a response is made of. */
export interface ChapChallenge {
  readonly algorithm: ChapAlgorithm
  /** CHAP_I, one byte. */
  readonly identifier: number
  /** CHAP_C */
  readonly challenge: Uint8Array
}

/** The response: the hash of identifier, secret and challenge (RFC 1994 4.1). */
export function chapResponse({ algorithm, identifier, challenge }: ChapChallenge, secret: string | Uint8Array): Buffer {
  return createHash(algorithm.hash).update(Buffer.of(identifier)).update(secret).update(challenge).digest()
}

/** True when a response is the one that the secret gives. Takes the same time wherever they differ. */
export function verifyChapResponse(asked: ChapChallenge, secret: string | Uint8Array, response: Uint8Array): boolean {
  return response.length === asked.algorithm.responseBytes && timingSafeEqual(chapResponse(asked, secret), response)
}

/** Bytes of a secret below which CHAP is open to guessing (RFC 7143 9.2.1: 96 bits). */
export const chapSecretBytesMin = 12
