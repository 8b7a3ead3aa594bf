/** Random packets: of connections as they are, and as nobody should send them. */

import { checksumOf, pseudoHeaderSum, sumOf } from '../../transform/checksum.ts'
import { Protocol, ipv4, ipv6 } from '../../transform/families.ts'
import type { Family } from '../../transform/families.ts'
import { farBytes } from '../../transform/notes.ts'
import type { Random } from './random.ts'

const word = (value: number): number[] => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]
const timestamps = (random: Random): number[] => [8, 10, ...word(random.edgyWord()), ...word(random.once(3) ? 0 : random.edgyWord())]
const sack = (random: Random, blocks: number): number[] => [
  5,
  2 + 8 * blocks,
  ...Array.from({ length: 2 * blocks }, () => word(random.edgyWord())).flat(),
]

/** Layouts of options, by names for messages. Their lengths are made multiples of 4. */
export const layouts: Readonly<Record<string, (random: Random) => number[]>> = {
  none: () => [],
  timestamps: random => [1, 1, ...timestamps(random)],
  'timestamps, 1 block': random => [1, 1, ...timestamps(random), 1, 1, ...sack(random, 1)],
  'timestamps, 2 blocks': random => [1, 1, ...timestamps(random), 1, 1, ...sack(random, 2)],
  'timestamps, 3 blocks': random => [1, 1, ...timestamps(random), 1, 1, ...sack(random, 3)],
  'blocks only': random => [1, 1, ...sack(random, 1 + random.below(4))],
  'blocks at odd places': random => [1, ...sack(random, 1 + random.below(4))],
  'blocks first': random => [...sack(random, 1 + random.below(3)), ...timestamps(random)],
  'SYN of Linux': random => [2, 4, 5, 0xb4, 4, 2, ...timestamps(random), 1, 3, 3, random.below(15)],
  'SYN without timestamps': random => [2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, random.below(15)],
  'timestamps first': random => timestamps(random),
  'timestamps at an odd place': random => [1, ...timestamps(random)],
  'timestamps at the end': random => [1, 1, 1, 1, 1, 1, ...timestamps(random)],
  'timestamps twice': random => [...timestamps(random), ...timestamps(random), 1, ...timestamps(random)],
  'only NOPs': random => Array.from({ length: 4 * random.below(11) }, () => 1),
  'timestamps behind 30 NOPs': random => [...Array.from({ length: 30 }, () => 1), ...timestamps(random)],
  'an end in the middle': random => [1, 1, ...timestamps(random), 0, 5, 10, 1, 2, 3, 4, 5, 6, 7, 8],
  'others between': random => [254, 4, 1, 2, ...timestamps(random), 30, 3, 9, ...sack(random, 1)],
  'timestamps of a wrong length': random => [1, 1, 8, random.of([0, 1, 2, 9, 11, 12, 40, 255]), ...random.bytes(12)],
  'blocks of a wrong length': random => [
    1,
    1,
    ...timestamps(random),
    1,
    1,
    5,
    random.of([0, 1, 2, 3, 9, 11, 14, 17, 20, 25, 255]),
    ...random.bytes(20),
  ],
  'blocks that end too late': random => [1, 1, ...timestamps(random), 1, 1, 5, 26, ...random.bytes(12)],
  anything: random => [...random.bytes(4 * random.below(11))],
}
const layoutNames = Object.keys(layouts)

/** Options of a layout, filled to a multiple of 4 with NOPs or ends, at most 40 bytes. */
export function randomOptions(random: Random, name: string): Buffer {
  const options = layouts[name]?.(random) ?? []
  while (options.length % 4 !== 0) options.push(random.below(2))
  return Buffer.from(options.slice(0, 40))
}

/** An address of 16 bytes. */
export function randomAddress(random: Random, family: Family): Buffer {
  return family === ipv4 ? Buffer.concat([Buffer.from('00000000000000000000ffff', 'hex'), random.bytes(4)]) : random.bytes(16)
}

/** What a packet is to be; the rest is random. */
export interface Wanted {
  readonly family?: Family
  readonly source?: Buffer
  readonly destination?: Buffer
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly flags?: number
  readonly sequence?: number
  readonly payloadBytes?: number
  readonly payload?: Buffer
}

const usualFlags = [0x10, 0x10, 0x18, 0x18, 0x02, 0x12, 0x11, 0x04, 0x14, 0x19]

/** An IP packet with TCP in it, its checksums right. */
export function tcpPacket(random: Random, wanted: Wanted = {}): { readonly packet: Buffer; readonly layout: string } {
  const family = wanted.family ?? random.of([ipv4, ipv6])
  const layout = random.of(layoutNames)
  const options = randomOptions(random, layout)
  const payloadBytes = wanted.payloadBytes ?? random.of([0, 0, 1, random.below(64), random.below(1400)])
  const tcp = Buffer.concat([random.bytes(20), options, wanted.payload ?? random.bytes(payloadBytes)])
  if (wanted.sourcePort !== undefined) tcp.writeUInt16BE(wanted.sourcePort, 0)
  if (wanted.destinationPort !== undefined) tcp.writeUInt16BE(wanted.destinationPort, 2)
  tcp.writeUInt32BE(wanted.sequence ?? random.edgyWord(), 4)
  tcp.writeUInt32BE(random.edgyWord(), 8)
  tcp[12] = ((20 + options.length) / 4) << 4
  tcp[13] = wanted.flags ?? (random.once(4) ? random.below(256) : random.of(usualFlags))
  tcp.writeUInt16BE(random.of([0, 1, 0xffff, random.below(0x10000)]), 14)
  return { packet: ipPacket(random, { family, protocol: Protocol.tcp, body: tcp, checksumAt: 16, ...wanted }), layout }
}

/** An IP packet of a protocol whose checksum counts the pseudo header. */
export function ipPacket(
  random: Random,
  wanted: {
    readonly family?: Family
    readonly protocol: number
    readonly body: Buffer
    readonly checksumAt?: number
    readonly source?: Buffer
    readonly destination?: Buffer
  },
): Buffer {
  const family = wanted.family ?? ipv4
  const { protocol, body, checksumAt } = wanted
  const header = Buffer.alloc(family.headerBytes)
  if (family === ipv4) {
    header[0] = 0x45
    header[1] = random.below(256)
    header.writeUInt16BE(header.length + body.length, 2)
    header.writeUInt16BE(random.below(0x10000), 4)
    header[6] = random.of([0, 0x40])
  } else {
    header.writeUInt32BE(0x6000_0000 + random.below(0x1000_0000), 0)
    header.writeUInt16BE(body.length, 4)
  }
  header[family.protocolAt] = protocol
  header[family.hopLimitAt] = 1 + random.below(255)
  const source = wanted.source ?? randomAddress(random, family)
  const destination = wanted.destination ?? randomAddress(random, family)
  source.copy(header, family.addressesAt, family.inMapped, 16)
  destination.copy(header, family.addressesAt + family.addressBytes, family.inMapped, 16)
  if (family === ipv4) header.writeUInt16BE(checksumOf(sumOf(header, 0, header.length)), 10)
  if (checksumAt !== undefined) {
    body.writeUInt16BE(0, checksumAt)
    const isPseudo = protocol !== Protocol.icmp
    const seed = isPseudo ? sumOf(header, family.addressesAt, header.length, pseudoHeaderSum(protocol, body.length)) : 0
    body.writeUInt16BE(checksumOf(sumOf(body, 0, body.length, seed)), checksumAt)
  }
  return Buffer.concat([header, body])
}

/** Ways in which a packet can be none that is changed, or one with a checksum that is wrong already. Some make no difference to some packets. */
export const damages: Readonly<Record<string, (packet: Buffer, random: Random, family: Family) => Buffer>> = {
  'cut off': (packet, random) => packet.subarray(0, random.below(packet.length)),
  'with padding': (packet, random) => Buffer.concat([packet, random.bytes(1 + random.below(20))]),
  'longer than it is': (packet, random, family) => withLength(packet, family, random.below(3000)),
  'length 0': (packet, _random, family) => withLength(packet, family, 0),
  'with IP options': packet => edited(packet, bytes => (bytes[0] = bytes[0] === 0x45 ? 0x46 : bytes[0])),
  'another version': (packet, random) => edited(packet, bytes => (bytes[0] = random.below(256))),
  'a fragment': (packet, random, family) =>
    edited(packet, bytes => {
      if (family === ipv4) bytes.writeUInt16BE(random.of([0x2000, 1, 0x1fff, 0x2001]), 6)
      else bytes[family.protocolAt] = 44
    }),
  'another protocol': (packet, random, family) => edited(packet, bytes => (bytes[family.protocolAt] = random.below(256))),
  'another data offset': (packet, random, family) => edited(packet, bytes => (bytes[family.headerBytes + 12] = random.below(256))),
  'a wrong checksum': (packet, random, family) =>
    edited(packet, bytes => void bytes.writeUInt16BE(random.of([0, 0xffff, random.below(0x10000)]), family.headerBytes + 16)),
  'a wrong header checksum': (packet, random, family) =>
    edited(packet, bytes => {
      if (family === ipv4) bytes.writeUInt16BE(random.of([0, 0xffff, random.below(0x10000)]), 10)
    }),
}

function edited(packet: Buffer, edit: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(packet)
  edit(bytes)
  return bytes
}

const withLength = (packet: Buffer, family: Family, length: number): Buffer =>
  edited(packet, bytes => void bytes.writeUInt16BE(length, family === ipv4 ? 2 : 4))

/** An error of a router about a packet of `about`, whole or no more than there has to be of it. */
export function icmpPacket(
  random: Random,
  about: {
    readonly family: Family
    readonly source: Buffer
    readonly destination: Buffer
    readonly sourcePort: number
    readonly destinationPort: number
  },
  { type, destination = about.source }: { readonly type: number; readonly destination?: Buffer },
): Buffer {
  const { family } = about
  const { packet } = tcpPacket(random, about)
  const embedded = packet.subarray(0, family.headerBytes + random.of([8, 8, 20, 100]))
  const head = Buffer.concat([Buffer.from([type, random.below(6), 0, 0]), random.bytes(4)])
  return ipPacket(random, { family, protocol: family.icmp, body: Buffer.concat([head, embedded]), checksumAt: 2, destination })
}

/** Where the sender of a packet that ends at `end` may have got to: near, and at the limits of that. */
export const reachedOf = (random: Random, end: number): number => (end + random.of([0, 1, 1460, farBytes, -farBytes]) + random.below(3) - 1) >>> 0
