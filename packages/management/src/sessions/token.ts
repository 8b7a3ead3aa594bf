/** Tokens of the API: `hf1.SESSION.SECRET`. The store has a hash of the secret only. */

import { createHash, timingSafeEqual } from 'node:crypto'

/** What a token says. */
export interface Token {
  readonly session: string
  readonly secret: string
}

/** 24 hexadecimal digits; 32 bytes in base64url. */
const tokenPattern = /^hf1\.([0-9a-f]{24})\.([\w-]{43})$/

/** A token as it is told. */
export const formatToken = ({ session, secret }: Token): string => `hf1.${session}.${secret}`

/** Undefined for what is no token. */
export function parseToken(token: string): Token | undefined {
  const match = tokenPattern.exec(token)
  return match === null ? undefined : { session: match[1], secret: match[2] }
}

const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest()

/** What is kept of a secret. It has 256 random bits: nothing slower is needed. */
export const secretDigest = (secret: string): string => digestOf(secret).toString('base64url')

/** Whether this is the secret of that digest; takes as long for every other one. */
export function isSecretOf(digest: string, secret: string): boolean {
  const expected = Buffer.from(digest, 'base64url')
  const actual = digestOf(secret)
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}

/** The worker that has a session in its hands. */
export const ownerOfSession = (session: string, workers: number): number => createHash('sha256').update(session).digest().readUInt32BE() % workers
