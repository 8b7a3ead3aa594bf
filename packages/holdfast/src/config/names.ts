/** Names of shares, users and nodes: what is allowed in each. */

/** MS-SRVS 2.2.4.22: up to 80 characters; IPC$ is the server's own. */
export const shareNamePattern = /^(?![iI][pP][cC]\$$)(?=.*[^. ])[^"/\\[\]:|<>+=;,*?\u0000-\u001f\u007f]{1,80}$/
export const shareNameAllowed = 'a name of up to 80 characters without " / \\ [ ] : | < > + = ; , * ? that is not IPC$'

/** What Windows allows in an account's name, plus nothing that would break `NAME:PASSWORD` or a URL. */
export const userNamePattern = /^(?=.*[^. ])[^"/\\[\]:;|=,+*?<>@%\u0000-\u001f\u007f]{1,64}$/
export const userNameAllowed = 'a name of up to 64 characters without " / \\ [ ] : ; | = , + * ? < > @ %'

/** A NetBIOS name (RFC 1001 14.1) that is a DNS label as well. */
export const nodeNamePattern = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,13}[A-Za-z0-9])?$/
export const nodeNameAllowed = 'a name of up to 15 letters, digits and hyphens'

/** The end of an iSCSI name (RFC 7143 4.2.7.2, RFC 3722): lower case only, as names of iSCSI are. */
export const volumeNamePattern = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/
export const volumeNameAllowed = 'a name of up to 63 lower-case letters, digits, dots and hyphens, such as disk0'

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
