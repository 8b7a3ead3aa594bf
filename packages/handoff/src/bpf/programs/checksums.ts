/**
 * Checksums after a change: by the difference, not anew. A packet may have its checksum done by the device only (CHECKSUM_PARTIAL) and be many in one (TSO, GRO), and a change of what TCP's checksum
 * covers has to leave such a checksum alone, while one of the pseudo header has to go into it. The helpers know which it is when they are told what is what.
 */

import { r0, r1, r2, r9 } from '../assembler/index.ts'
import type { Place, Register } from '../assembler/index.ts'
import type { Family } from '../../transform/families.ts'
import { skb } from './context.ts'
import type { Context } from './context.ts'

/** Flags of bpf_l4_csum_replace (linux/bpf.h). */
const BPF_F_PSEUDO_HDR = 0x10
const BPF_F_IPV6 = 0x80

/** Starts a difference in r9: minus what is at a place now. */
export function differenceFrom({ a }: Context, place: Place, bytes: Register | number): void {
  a.call('csum_diff', place.address, bytes, 0, 0, 0)
  a.mov(r9, r0)
}

/** Ends it in r9: plus what is there by now. */
export function differenceTo({ a }: Context, place: Place, bytes: Register | number): void {
  a.call('csum_diff', 0, 0, place.address, bytes, r9)
  a.mov(r9, r0)
}

/** A whole one in r9: plus what is at one place, minus what is at another. */
export function difference({ a }: Context, from: Place, to: Place, bytes: number): void {
  a.call('csum_diff', from.address, bytes, to.address, bytes, 0)
  a.mov(r9, r0)
}

/** Applies the difference in r9 to a checksum of TCP or ICMP: something has changed in what it covers. */
export function applyDifference({ a }: Context, checksumAt: number): void {
  a.call('l4_csum_replace', skb, checksumAt, 0, r9, 0)
}

/** Applies the difference in r9 to the checksum of an IPv4 header. */
export function applyHeaderDifference({ a }: Context, checksumAt: number): void {
  a.call('l3_csum_replace', skb, checksumAt, 0, r9, 0)
}

/**
 * Applies the difference in r9 to a checksum of TCP or ICMPv6: something has changed in the pseudo header. With IPv6, no header checksum makes up for it in what the device has summed
 * (CHECKSUM_COMPLETE); kernels that know the flag are told so, older ones refuse it and do without.
 */
export function applyPseudoDifference({ a }: Context, family: Family, checksumAt: number): void {
  if (family.version === 4) {
    a.call('l4_csum_replace', skb, checksumAt, 0, r9, BPF_F_PSEUDO_HDR)
    return
  }
  a.call('l4_csum_replace', skb, checksumAt, 0, r9, BPF_F_PSEUDO_HDR | BPF_F_IPV6)
  a.block(done => {
    a.jeq(r0, 0, done)
    a.call('l4_csum_replace', skb, checksumAt, 0, r9, BPF_F_PSEUDO_HDR)
  })
}

/** The checksum of bytes on the stack, as it is written, to r1. */
export function checksumOf(context: Context, place: Place, bytes: number): void {
  context.a.call('csum_diff', 0, 0, place.address, bytes, 0)
  foldToChecksum(context)
}

/** A sum in r0 folded twice and complemented (RFC 1071), to r1. */
export function foldToChecksum({ a }: Context): void {
  a.mov32(r1, r0)
  for (let fold = 0; fold < 2; fold++) {
    a.mov(r2, r1)
    a.rsh(r2, 16)
    a.and(r1, 0xffff)
    a.add(r1, r2)
  }
  a.xor(r1, 0xffff)
}
