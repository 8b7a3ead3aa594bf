/** Principals of Kerberos (RFC 4120 6.2) in the form in which the library writes them. */

/** `alice@EXAMPLE.COM`, `cifs/server.example.com@EXAMPLE.COM`. */
export interface Principal {
  /** `alice`; of a service its kind, `cifs`. */
  readonly primary: string
  /** What follows the first `/`: a service's computer, `admin` of `alice/admin`. */
  readonly instance: string | undefined
  readonly realm: string
}

/** Undefined for what has no realm, and for what has a character in it that the library marks with `\`: no user of ours is called so. */
export function parsePrincipal(text: string): Principal | undefined {
  if (/[\\\u0000-\u001f\u007f]/.test(text)) return undefined
  const at = text.lastIndexOf('@')
  if (at < 1 || at === text.length - 1) return undefined
  const [primary = '', ...instances] = text.slice(0, at).split('/')
  if (primary === '') return undefined
  return { primary, instance: instances.length === 0 ? undefined : instances.join('/'), realm: text.slice(at + 1) }
}

const serviceKinds: readonly string[] = ['cifs', 'host']

/**
 * True for what an SMB client asks a ticket for: `cifs/NAME`, or `host/NAME`, and a computer's account `NAME$`, which stand for all services
 * of a computer (MS-KILE 3.1.5.11). A ticket for its web server is none of ours: who got that one may be passing it on.
 */
export function isFileService({ primary, instance }: Principal): boolean {
  return instance === undefined ? primary.endsWith('$') : serviceKinds.includes(primary.toLowerCase())
}

/**
 * True for two names that differ in nothing but the case of letters. Comparing in both cases leaves out letters that turn into another one's
 * (`ı` is an upper-case `I`, and not `i`).
 */
export const isSameName = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase() && a.toLowerCase() === b.toLowerCase()
