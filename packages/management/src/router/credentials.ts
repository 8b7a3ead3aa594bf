/** How a request shows whose session it is part of. */

import { timingSafeEqual } from 'node:crypto'
import { ManagementError } from '../core/problems.ts'
import type { HttpRequest } from '@holdfast/http'

type Headers = HttpRequest['headers']

/** The cookie that has the token of a session of the console. */
export const sessionCookie = 'holdfast_session'

/** A token, and whether it came in the cookie, which a browser sends along whoever made the page that asks. */
export interface Credentials {
  readonly token: string
  readonly byCookie: boolean
}

/** Undefined where there are none. `Authorization` (RFC 6750 2.1) counts where there are both. */
export function credentialsOf(headers: Headers): Credentials | undefined {
  const bearer = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(headers.get('authorization') ?? '')?.[1]
  if (bearer !== undefined) return { token: bearer, byCookie: false }
  const cookie = cookiesOf(headers).get(sessionCookie)
  return cookie === undefined ? undefined : { token: cookie, byCookie: true }
}

/** RFC 6265 4.2.1; of a name that is there twice, the first. */
function cookiesOf(headers: Headers): ReadonlyMap<string, string> {
  const pairs = (headers.get('cookie') ?? '').split(/[;,]/).map(pair => pair.trim())
  return new Map(pairs.toReversed().map(pair => [pair.slice(0, Math.max(0, pair.indexOf('='))), pair.slice(pair.indexOf('=') + 1)] as const))
}

/** `Set-Cookie` of a session that begins; no page can read it, and no other site's page sends it. */
export const cookieOf = (token: string, lifetimeMs: number): string =>
  `${sessionCookie}=${token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${Math.max(0, Math.floor(lifetimeMs / 1000))}`
/** `Set-Cookie` of a session that has ended. */
export const noCookie = `${sessionCookie}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0`

/** A page that asks has to be one of this node: throws `CSRF` where the browser says it is of another site. */
export function checkOrigin(headers: Headers): void {
  const origin = headers.get('origin')
  if (origin === undefined || hostOf(origin) === headers.get('host')?.toLowerCase()) return
  throw new ManagementError('CSRF', 'The request comes from a page of another site.')
}

function hostOf(origin: string): string | undefined {
  const host = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1]
  return host?.toLowerCase()
}

/** What changes something by a cookie shows that it comes from a page that could read the session: throws `CSRF` where it does not. */
export function checkCsrf(headers: Headers, csrf: string): void {
  checkOrigin(headers)
  const given = Buffer.from(headers.get('x-csrf-token') ?? '')
  const expected = Buffer.from(csrf)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new ManagementError('CSRF', 'The header X-CSRF-Token is not that of the session.')
  }
}
