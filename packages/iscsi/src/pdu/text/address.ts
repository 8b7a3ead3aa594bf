/** TargetAddress (RFC 7143 13.8), and the answer to SendTargets that it is part of (Appendix C). */
import { MalformedError } from '@holdfast/wire'
import { parseNumber } from './values.ts'
import type { TextPair } from './text.ts'

/** The registered port (13.8). */
export const defaultPort = 3260

/** A portal: where a target can be reached. */
export interface TargetAddress {
  /** Name or address; an IPv6 address without its brackets. */
  readonly host: string
  readonly port: number
  readonly portalGroupTag?: number
}

const pattern = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?(?:,([0-9]{1,5}|0[xX][0-9a-fA-F]{1,4}))?$/

/** Reads `host[:port][,tag]`; an IPv6 address is in brackets. Throws MalformedError `bad-address`. */
export function parseTargetAddress(text: string): TargetAddress {
  const [matched, ipv6, name, portText, tagText] = pattern.exec(text) ?? []
  const port = portText === undefined ? defaultPort : Number(portText)
  const tag = tagText === undefined ? undefined : parseNumber(tagText)
  const isBadTag = tagText !== undefined && (tag === undefined || tag > 65_535)
  if (matched === undefined || port < 1 || port > 65_535 || isBadTag)
    throw new MalformedError('bad-address', `not a target address: ${JSON.stringify(text)}`)
  return { host: ipv6 ?? name ?? '', port, ...(tag === undefined ? {} : { portalGroupTag: tag }) }
}

/** Writes `host:port[,tag]`. */
export function formatTargetAddress({ host, port, portalGroupTag }: TargetAddress): string {
  const where = host.includes(':') ? `[${host}]` : host
  return `${where}:${port}${portalGroupTag === undefined ? '' : `,${portalGroupTag}`}`
}

/** A target of an answer to SendTargets. Without addresses it is where it was asked for. */
export interface FoundTarget {
  readonly name: string
  readonly addresses: readonly TargetAddress[]
}

/** Reads the answer to SendTargets. Throws MalformedError `bad-targets` for an address that belongs to no target, and `bad-address`. */
export function parseTargets(pairs: Iterable<TextPair>): FoundTarget[] {
  const targets: { name: string; addresses: TargetAddress[] }[] = []
  for (const [key, value] of pairs) {
    if (key === 'TargetName') targets.push({ name: value, addresses: [] })
    if (key !== 'TargetAddress') continue
    const last = targets.at(-1)
    if (last === undefined) throw new MalformedError('bad-targets', 'an address before the first target')
    last.addresses.push(parseTargetAddress(value))
  }
  return targets
}

/** The answer to SendTargets as pairs. */
export function formatTargets(targets: Iterable<FoundTarget>): TextPair[] {
  return [...targets].flatMap(({ name, addresses }) => [
    ['TargetName', name] as const,
    ...addresses.map(address => ['TargetAddress', formatTargetAddress(address)] as const),
  ])
}
