/** Credentials of the Basic scheme (RFC 7617). */

/** A user and the password. */
export interface BasicCredentials {
  readonly user: string
  readonly password: string
}

/** What an Authorization field says in UTF-8; undefined for another scheme, and for what is malformed. A user has no colon, a password may. */
export function readBasicCredentials(value: string): BasicCredentials | undefined {
  const token = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(value)?.[1]
  if (token === undefined) return undefined
  const text = Buffer.from(token, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  // oxlint-disable-next-line no-control-regex
  if (colon < 0 || /[\u0000-\u001f\u007f]/.test(text)) return undefined
  return { user: text.slice(0, colon), password: text.slice(colon + 1) }
}
