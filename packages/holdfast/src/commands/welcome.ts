/** What a new user reads: where the share is and how to mount it from each system. */

import { type Address, formatAddress, isLoopback } from '../config/addresses.ts'

export interface Welcome {
  readonly shares: readonly { readonly name: string; readonly path: string }[]
  readonly addresses: readonly Address[]
  /** Addresses of this machine in its networks, for when every interface is listened on. */
  readonly networkAddresses: readonly string[]
  readonly user: string
  /** Only when it was made just now: it is not kept. */
  readonly password?: string
  /** How to give the user another password. */
  readonly resetCommand: string
}

const smbPort = 445

/** A block of text for stderr. */
export function welcomeText(welcome: Welcome): string {
  const { shares, user, password, resetCommand } = welcome
  const [address] = welcome.addresses
  const [first] = shares
  if (address === undefined || first === undefined) return ''
  const isEverywhere = address.host === '' || address.host === '::' || address.host === '0.0.0.0'
  const host = isEverywhere ? (welcome.networkAddresses[0] ?? '127.0.0.1') : address.host
  const { port } = address
  const isDefaultPort = port === smbPort
  const urlHost = host.includes(':') ? `[${host}]` : host
  const url = `smb://${encodeURIComponent(user)}@${urlHost}${isDefaultPort ? '' : `:${port}`}/${encodeURIComponent(first.name)}`
  const lines = [
    'Holdfast serves',
    ...shares.map(share => `  ${share.name.padEnd(12)} ${share.path}`),
    `over SMB 3.1.1 at ${welcome.addresses.map(formatAddress).join(', ')}`,
    '',
    ...(password === undefined
      ? [`  user      ${user}`, '  password  the one printed when the user was made; it is kept as a hash only', `  forgotten? ${resetCommand}`]
      : [
          `  user      ${user}`,
          `  password  ${password}`,
          '  Write it down: it is kept as a hash only and not shown again.',
          `  Another one: ${resetCommand}`,
        ]),
    '',
    'Linux       sudo mount -t cifs ' +
      `//${host}/${shellWord(first.name)} /mnt -o ${isDefaultPort ? '' : `port=${port},`}username=${user},vers=3.1.1,uid=$(id -u)`,
    `macOS       open ${shellWord(url)}          (or Finder, Go, Connect to Server)`,
    ...windowsLines({ host, port, share: first.name, user }),
    `smbclient   smbclient //${host}/${shellWord(first.name)}${isDefaultPort ? '' : ` -p ${port}`} -U ${user}`,
    `holdfast    holdfast ls ${shellWord(url.replace(/^(smb:\/\/[^/]*?)(:\d+)?\//, `$1:${port}/`))}`,
    '',
    ...(isLoopback(host) ? ['Only this machine can connect. For others: --smb :445 (as root) or --smb :4450', ''] : []),
  ]
  return `\n${lines.map(line => (line === '' ? '' : `  ${line}`)).join('\n')}\n`
}

function windowsLines({
  host,
  port,
  share,
  user,
}: {
  readonly host: string
  readonly port: number
  readonly share: string
  readonly user: string
}): string[] {
  const target = `\\\\${host}\\${share}`
  const quotedTarget = /\s/.test(target) ? `"${target}"` : target
  if (port === smbPort) return [`Windows     net use Z: ${quotedTarget} /user:${user} *`]
  return [
    `Windows     net use Z: ${quotedTarget} /user:${user} * /tcpport:${port}`,
    '            (Windows 11 24H2 or later; others know port 445 only: --smb :445)',
  ]
}

const shellWord = (text: string): string => (/^[\w@%+=:,./[\]-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)
