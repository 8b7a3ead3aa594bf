/** What a fuzzer feeds with bytes: every decoder of this room, with recorded PDUs to begin with. */
import { captured } from './captured.ts'
import * as pdu from './index.ts'
import type { TextPair } from './index.ts'

/** Takes bytes of a peer; throws MalformedError and nothing else. */
export type Decoder = (bytes: Buffer) => unknown

interface Decoding {
  decode(bytes: Buffer, at?: number, end?: number): unknown
}

const isCodec = (value: unknown): value is Decoding =>
  typeof value === 'object' && value !== null && 'decode' in value && typeof value.decode === 'function'

const segmentOf = (bytes: Buffer): Buffer => bytes.subarray(pdu.basicHeaderBytes, pdu.basicHeaderBytes + pdu.dataSegmentBytes(bytes))
const hasText = (bytes: Buffer): boolean => [3, 4, 0x23, 0x24].includes(pdu.opcodeOf(bytes))
const texts = captured.filter(({ bytes }) => hasText(bytes)).map(({ bytes }) => Buffer.from(segmentOf(bytes)))
const all = captured.map(({ bytes }) => bytes)

const negotiate = (role: 'initiator' | 'target', pairs: TextPair[]): unknown => {
  const negotiator = new pdu.Negotiator({ role, wanted: { HeaderDigest: ['CRC32C', 'None'], MaxBurstLength: 65_536 }, receiveBytesMax: 8192 })
  if (role === 'initiator') negotiator.offers()
  return negotiator.receive(pairs)
}

/** An extended CDB of 32 bytes and the length of a bidirectional read. */
const additionalHeaders = pdu.AdditionalHeaders.toBytes({ cdbRest: Buffer.alloc(16, 7), bidirectionalReadLength: 512 })

/** By name: every codec that index.ts exports, and the functions that read bytes without being one. */
export const decoders: Readonly<Record<string, { readonly decode: Decoder; readonly seeds: readonly Buffer[] }>> = {
  ...Object.fromEntries(
    Object.entries(pdu).flatMap(([name, value]: [string, unknown]) =>
      isCodec(value)
        ? [[name, { decode: (bytes: Buffer) => value.decode(bytes), seeds: name === 'AdditionalHeaders' ? [additionalHeaders] : all }]]
        : [],
    ),
  ),
  parseText: { decode: bytes => pdu.textMap(pdu.parseText(bytes)), seeds: texts },
  'Negotiator, target': { decode: bytes => negotiate('target', pdu.parseText(bytes)), seeds: texts },
  'Negotiator, initiator': { decode: bytes => negotiate('initiator', pdu.parseText(bytes)), seeds: texts },
  parseTargets: { decode: bytes => pdu.parseTargets(pdu.parseText(bytes)), seeds: texts },
  parseTargetAddress: {
    decode: bytes => pdu.parseTargetAddress(bytes.toString()),
    seeds: ['127.0.0.1:3260,1', '[fe80::1]:3260,0x1', 'storage.example'].map(text => Buffer.from(text)),
  },
  parseBinary: { decode: bytes => pdu.parseBinary(bytes.toString()), seeds: ['0xDA8B7330', '0b2otzMA=='].map(text => Buffer.from(text)) },
}
