/** Addresses to listen on or to connect to: `127.0.0.1:4450`, `[::1]:4450`, `localhost:4450`, `:445`, and without a port the default one. */

import { isIPv6 } from 'node:net'

/** Port numbers that need no root (445, 860 and 80 would). */
export const defaultPorts = { smb: 4450, iscsi: 3260, http: 8080, content: 8081, rdma: 5445 } as const

export interface Address {
  /** Without brackets; `''` for every interface, IPv6 and IPv4. */
  readonly host: string
  readonly port: number
}

export const addressAllowed = 'ADDR:PORT, such as 127.0.0.1:4450, [::1]:4450, or :445 for every interface'
export const addressPattern = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([A-Za-z0-9_.-]*))(?::(\d{1,5}))?$/

/** Undefined for what is no address. */
export function parseAddress(text: string, defaultPort: number): Address | undefined {
  const match = addressPattern.exec(text)
  if (match === null || text === '') return undefined
  const [, bracketed, name = '', digits] = match
  if (bracketed !== undefined && !isIPv6(bracketed.replace(/%.*/, ''))) return undefined
  // `1.2.3` and `1.2.3.4.5` are neither names nor addresses.
  if (/^[\d.]+$/.test(name) && !/^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(name)) return undefined
  const port = digits === undefined ? defaultPort : Number(digits)
  return port > 65_535 ? undefined : { host: bracketed ?? name, port }
}

/** As it can be parsed again; every interface is `[::]`. */
export function formatAddress({ host, port }: Address): string {
  const shown = host === '' ? '::' : host
  return `${shown.includes(':') ? `[${shown}]` : shown}:${port}`
}

export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.')
