import { MalformedError } from '@holdfast/wire'

/** AvId (MS-NLMP 2.2.2.1). */
export const avId = Object.freeze({
  eol: 0,
  nbComputerName: 1,
  nbDomainName: 2,
  dnsComputerName: 3,
  dnsDomainName: 4,
  dnsTreeName: 5,
  flags: 6,
  timestamp: 7,
  singleHost: 8,
  targetName: 9,
  channelBindings: 10,
})

/** MsvAvFlags. */
export const avFlags = Object.freeze({ constrained: 0x1, micProvided: 0x2, untrustedSpn: 0x4 })

export interface AvPair {
  readonly id: number
  readonly value: Buffer
}

// Eleven are defined; each at most once makes sense. More is nonsense, but harmless up to here.
const pairsMax = 64
const headerLengthBytes = 4

/**
 * Decodes AV_PAIRs up to MsvAvEOL; what follows (an NTLMv2 response has four zero bytes there) is left. Values are views.
 * Throws MalformedError `av_pair`.
 */
export function decodeAvPairs(bytes: Buffer): AvPair[] {
  const pairs: AvPair[] = []
  let at = 0
  while (at < bytes.length) {
    if (bytes.length - at < headerLengthBytes || pairs.length === pairsMax) throw new MalformedError('av_pair')
    const id = bytes.readUInt16LE(at)
    const valueAt = at + headerLengthBytes
    const valueEnd = valueAt + bytes.readUInt16LE(at + 2)
    if (valueEnd > bytes.length) throw new MalformedError('av_pair')
    if (id === avId.eol) return pairs
    pairs.push({ id, value: bytes.subarray(valueAt, valueEnd) })
    at = valueEnd
  }
  return pairs
}

/** Encodes AV_PAIRs, and MsvAvEOL behind them. */
export function encodeAvPairs(pairs: readonly AvPair[]): Buffer {
  const parts: Buffer[] = []
  for (const { id, value } of [...pairs, { id: avId.eol, value: Buffer.alloc(0) }]) {
    const header = Buffer.allocUnsafe(headerLengthBytes)
    header.writeUInt16LE(id, 0)
    header.writeUInt16LE(value.length, 2)
    parts.push(header, value)
  }
  return Buffer.concat(parts)
}

/** The value of the first pair with this id. */
export const findAvPair = (pairs: readonly AvPair[], id: number): Buffer | undefined => pairs.find(pair => pair.id === id)?.value

/** MsvAvFlags' value; 0 when there is none. Throws MalformedError `av_pair`. */
export function avFlagsOf(pairs: readonly AvPair[]): number {
  const value = findAvPair(pairs, avId.flags)
  if (value === undefined) return 0
  if (value.length !== 4) throw new MalformedError('av_pair')
  return value.readUInt32LE(0)
}
