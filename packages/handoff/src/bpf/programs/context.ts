/** What all programs have in common: what they see of a packet, where they keep what they have read, and their verdicts. */

import { TCX_NEXT, TC_ACT_SHOT } from '@holdfast/posix/bpf'
import { Frame, at, map, r0, r1, r2, r6, r7, r8, r9 } from '../assembler/index.ts'
import type { Assembler, MapReference, Place, Register } from '../assembler/index.ts'
import { AgentEntry, DirectorEntry, Total } from '../entries.ts'
import { offsetsOf } from '../offsets.ts'
import type { Offsets } from '../offsets.ts'
import type { Family } from '../../transform/families.ts'

/** Fields of struct __sk_buff, from its first byte on. */
const skbFields = { len: 0, packetType: 4, protocol: 16, vlanPresent: 20, ifindex: 40, gsoSegments: 164 } as const

/** The packet, for as long as the program runs. */
export const skb: Register = r6
/** Its entry, once that is found. */
export const entry: Register = r7
/** Length of its TCP header. */
export const tcpHeaderBytes: Register = r8
/** Length of the packet, from the IP header on, by that header. */
export const packetBytes: Register = r9

/** A field of the packet's struct __sk_buff. */
export const skbField = (name: keyof typeof skbFields): Place => at(skb, skbFields[name])

const fieldsOf =
  <Names extends string>(offsets: Offsets<Names>) =>
  (name: Names): Place =>
    at(entry, offsets[name])

/** A field of the entry, at the server agent. */
export const agentField: (name: keyof AgentEntry) => Place = fieldsOf(offsetsOf(AgentEntry))
/** A field of the entry, at the director. */
export const directorField: (name: keyof DirectorEntry) => Place = fieldsOf(offsetsOf(DirectorEntry))

/** The maps, by the names that programs and loaders know them by. */
export const maps = {
  flows: map('flows'),
  totals: map('totals'),
  directors: map('directors'),
  opened: map('opened'),
  openings: map('openings'),
  settings: map('settings'),
  heads: map('heads'),
} satisfies Record<string, MapReference>

/** Where the program keeps things on its stack. */
export class Stack {
  readonly frame: Frame = new Frame()
  /** The IP header, 40 bytes at most. */
  readonly ip: Place = this.frame.take(40)
  /** `FlowKey`. */
  readonly key: Place = this.frame.take(36)
  /** The TCP header, 60 bytes at most. */
  readonly tcp: Place = this.frame.take(60)
  /** Header of an ICMP error, and what is embedded of the packet it is about. */
  readonly icmp: Place = this.frame.take(56)
  /** A word that has to outlive helpers. */
  readonly word: Place = this.frame.take(4)
  /** Index 0, as key of the totals. */
  readonly zero: Place = this.frame.take(4)
  /** An outer header, or what else a helper is given. */
  readonly outer: Place = this.frame.take(48)
}

/** What all parts of a program are given. */
export interface Context {
  readonly a: Assembler
  readonly stack: Stack
  /** 14 for Ethernet, 0 where packets begin with IP. */
  readonly linkBytes: number
}

/** Labels that every program has: the packet goes on, as it is by now; it goes no further, which is counted; the same, as it is meant to be. */
export const Exit = { pass: 'pass', drop: 'drop', silent: 'silent' } as const

/** Puts the packet into r6. Those with a VLAN tag are others' (the tag is beside the packet, not in it). */
export function begin({ a }: Context): void {
  a.mov(skb, r1)
  a.ldxw(r1, skbField('vlanPresent'))
  a.jne(r1, 0, Exit.pass)
}

/** Jumps to `target` when the packet is of the family. */
export function jumpIfFamily({ a }: Context, family: Family, target: string): void {
  a.ldxw(r1, skbField('protocol'))
  a.be16(r1)
  a.jeq(r1, family.etherType, target)
}

/** The verdicts. What passes goes to the next program of the interface, and at last to the stack. */
export function end(context: Context): void {
  const { a } = context
  a.label(Exit.pass)
  a.mov32(r0, TCX_NEXT)
  a.exit()
  a.label(Exit.drop)
  count(context, Total.droppedPackets, 1)
  a.label(Exit.silent)
  a.mov32(r0, TC_ACT_SHOT)
  a.exit()
}

/** Adds to a total of this CPU: no other adds to it, and nothing interrupts a program with another one. */
export function count({ a, stack }: Context, index: number, amount: Register | number): void {
  a.stw(stack.zero, 0)
  a.call('map_lookup_elem', maps.totals, stack.zero.address)
  a.block(done => {
    a.jeq(r0, 0, done)
    addTo(a, at(r0, 8 * index), amount)
  })
}

/** Adds to two totals that stand side by side: packets, and then bytes. */
export function countPacket({ a, stack }: Context, index: number): void {
  a.stw(stack.zero, 0)
  a.call('map_lookup_elem', maps.totals, stack.zero.address)
  a.block(done => {
    a.jeq(r0, 0, done)
    addTo(a, at(r0, 8 * index), 1)
    addTo(a, at(r0, 8 * index + 8), packetBytes)
  })
}

function addTo(a: Assembler, place: Place, amount: Register | number): void {
  a.ldxdw(r2, place)
  a.add(r2, amount)
  a.stdw(place, r2)
}

/** A 16-bit number as the machine reads it from a packet. */
export const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >>> 8)

/** The 32-bit words of an address as the machine reads them from a packet. */
export function wordsOf(family: Family, address: Uint8Array): number[] {
  const bytes = Buffer.from(address)
  return Array.from({ length: family.addressBytes / 4 }, (_, index) => bytes.readInt32LE(family.inMapped + 4 * index))
}

/** Jumps to `otherwise` unless the address at a place is this one. */
export function requireAddress(a: Assembler, place: Place, family: Family, address: Uint8Array, otherwise: string): void {
  wordsOf(family, address).forEach((word, index) => {
    a.ldxw(r1, place.plus(4 * index))
    a.jne32(r1, word, otherwise)
  })
}

/** Copies words of 32 bits, by r1. */
export function copyWords(a: Assembler, to: Place, from: Place, bytes: number): void {
  for (let offset = 0; offset < bytes; offset += 4) {
    a.ldxw(r1, from.plus(offset))
    a.stw(to.plus(offset), r1)
  }
}

/** The first twelve bytes of an IPv4-mapped address, as words (RFC 4291 2.5.5.2). */
export const mappedWords: readonly number[] = [0, 0, 0xffff_0000 | 0]

/** Writes an address as it is in a packet to 16 bytes of the stack. */
export function copyMapped(a: Assembler, to: Place, from: Place, family: Family): void {
  if (family.version === 4) mappedWords.forEach((word, index) => a.stw(to.plus(4 * index), word))
  copyWords(a, to.plus(family.inMapped), from, family.addressBytes)
}
