/** TCP options (RFC 9293 3.2): found as Linux finds them, which ignores what follows nonsense. */

import type { Family } from './families.ts'

/** Kinds of options. */
export const OptionKind = { end: 0, noOperation: 1, mss: 2, windowScale: 3, sackPermitted: 4, sack: 5, timestamps: 8 } as const

/** Bytes of options, kind and length counted. */
export const OptionBytes = { mss: 4, windowScale: 3, sackPermitted: 2, sackBlock: 8, timestamps: 10 } as const

/** The greatest scale that counts (RFC 7323 2.3). */
export const windowScaleMax = 14

/** What counts as the MSS of one that says none (RFC 9293 3.7.1). */
export const mssDefault = ({ version }: Family): number => (version === 4 ? 536 : 1220)

/** What a TCP header's options say; to be filled again and again. */
export interface TcpOptions {
  /** 0: there is none. */
  mss: number
  /** −1: there is none. */
  windowScale: number
  sackPermitted: boolean
  timestamps: boolean
  tsVal: number
  tsEcr: number
}

/** An empty one. */
export const newTcpOptions = (): TcpOptions => ({ mss: 0, windowScale: -1, sackPermitted: false, timestamps: false, tsVal: 0, tsEcr: 0 })

/** Where the option after that at `at` begins; `end` when none follows, or what is there makes no sense. */
function next(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === OptionKind.noOperation) return at + 1
  if (bytes[at] === OptionKind.end || at + 1 >= end) return end
  const length = bytes[at + 1]
  return length < 2 || at + length > end ? end : at + length
}

/** Calls `visit` with each option but NOPs and the end: its kind, where it begins, and its length. Those from the first one that makes no sense on are left out. */
export function eachOption(bytes: Uint8Array, from: number, end: number, visit: (kind: number, at: number, lengthBytes: number) => void): void {
  for (let at = from; at < end;) {
    const after = next(bytes, at, end)
    const kind = bytes[at]
    if (kind !== OptionKind.noOperation && kind !== OptionKind.end && at + 1 < end && after === at + bytes[at + 1]) visit(kind, at, after - at)
    at = after
  }
}

const word = (bytes: Uint8Array, at: number): number => ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0

/** Reads options to `into` without an allocation. */
export function readOptions(bytes: Uint8Array, from: number, end: number, into: TcpOptions): TcpOptions {
  into.mss = 0
  into.windowScale = -1
  into.sackPermitted = into.timestamps = false
  into.tsVal = into.tsEcr = 0
  for (let at = from; at < end; at = next(bytes, at, end)) {
    const kind = bytes[at]
    const length = at + 1 < end ? bytes[at + 1] : 0
    if (at + length > end) break
    if (kind === OptionKind.timestamps && length === OptionBytes.timestamps) {
      into.timestamps = true
      into.tsVal = word(bytes, at + 2)
      into.tsEcr = word(bytes, at + 6)
    } else if (kind === OptionKind.mss && length === OptionBytes.mss) into.mss = (bytes[at + 2] << 8) | bytes[at + 3]
    else if (kind === OptionKind.windowScale && length === OptionBytes.windowScale) into.windowScale = Math.min(windowScaleMax, bytes[at + 2])
    else if (kind === OptionKind.sackPermitted && length === OptionBytes.sackPermitted) into.sackPermitted = true
  }
  return into
}
