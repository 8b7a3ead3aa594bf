/** Names of shares, users and nodes: what is allowed in each. */

import { nameLimits, shareNamePattern, userNamePattern, volumeNamePattern } from '@holdfast/management/api'

export { shareNamePattern, userNamePattern, volumeNamePattern }
export const shareNameAllowed = nameLimits.share
export const userNameAllowed = nameLimits.user
export const volumeNameAllowed = nameLimits.volume

/** A NetBIOS name (RFC 1001 14.1) that is a DNS label as well. */
export const nodeNamePattern = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,13}[A-Za-z0-9])?$/
export const nodeNameAllowed = 'a name of up to 15 letters, digits and hyphens'

/** An iSCSI name (RFC 7143 4.2.7), as initiators have it; case does not count. */
export const initiatorPattern = /^(?:iqn\.\d{4}-\d{2}\.[^\s,=/]{1,211}|eui\.[0-9A-Fa-f]{16}|naa\.(?:[0-9A-Fa-f]{16}|[0-9A-Fa-f]{32}))$/i
export const initiatorAllowed = 'an iSCSI name such as iqn.1993-08.org.debian:01:abcdef'

/** A Kerberos realm (RFC 4120 6.1): a domain in upper case, as a rule. */
export const realmPattern = /^[^\s/@:\\\u0000-\u001f\u007f]{1,255}$/

/** A name from whatever the machine is called. */
export function nodeNameFrom(hostname: string): string {
  const label = hostname
    .split('.')[0]
    .replaceAll(/[^A-Za-z0-9-]/g, '')
    .slice(0, 15)
    .replaceAll(/^-+|-+$/g, '')
  return label === '' ? 'holdfast' : label
}
