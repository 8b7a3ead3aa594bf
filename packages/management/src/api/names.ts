/** What is allowed in the names of what is managed. */

/** MS-SRVS 2.2.4.22: up to 80 characters; IPC$ is the server's own. */
export const shareNamePattern = /^(?![iI][pP][cC]\$$)(?=.*[^. ])[^"/\\[\]:|<>+=;,*?\u0000-\u001f\u007f]{1,80}$/
/** What Windows allows in an account's name, plus nothing that would break `NAME:PASSWORD` or a URL. */
export const userNamePattern = /^(?=.*[^. ])[^"/\\[\]:;|=,+*?<>@%\u0000-\u001f\u007f]{1,64}$/
/** The end of an iSCSI name (RFC 7143 4.2.7.2, RFC 3722): lower case only, as names of iSCSI are. */
export const volumeNamePattern = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/
export const snapshotNamePattern = volumeNamePattern

/** The same for people. */
export const nameLimits = {
  share: 'a name of up to 80 characters without " / \\ [ ] : | < > + = ; , * ? that is not IPC$',
  user: 'a name of up to 64 characters without " / \\ [ ] : ; | = , + * ? < > @ %',
  volume: 'a name of up to 63 lower-case letters, digits, dots and hyphens, such as disk0',
} as const
