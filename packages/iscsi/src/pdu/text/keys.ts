/** The keys of login and text negotiation, as a table (RFC 7143 13; 12.1 for authentication). */

/**
 * How the result comes about (6.2.1, 6.2.2). `and`, `or`, `minimum`, `maximum`: from both values. `list`: the first of the offered that the other
 * side takes. `declaration`: said by one side, not answered. `request`: asks for something (SendTargets). `exchange`: values of an authentication method.
 * `obsolete`: always rejected (13.25).
 */
export type TextRule = 'and' | 'or' | 'minimum' | 'maximum' | 'list' | 'declaration' | 'request' | 'exchange' | 'obsolete'

/** When a key may come (13): in login; in the login of a session's first connection; in full feature phase; always. */
export type TextUse = 'IO' | 'LO' | 'FFPO' | 'ALL'

/** What holds for a key. */
export interface TextKey {
  readonly section: string
  readonly rule: TextRule
  readonly use: TextUse
  readonly senders: 'initiator' | 'target' | 'both'
  /** SW: for the session; CO: for the connection. */
  readonly scope: 'SW' | 'CO'
  /** Least and greatest value of a numerical key. */
  readonly range?: readonly [least: number, greatest: number]
  /** What holds when nobody says anything. */
  readonly default?: boolean | number | string
  /** Of no meaning in a discovery session: the answer is Irrelevant. */
  readonly irrelevantInDiscovery?: boolean
  /** Most bytes of the value, where not 255. */
  readonly valueBytesMax?: number
}

const segmentRange = [512, 0xff_ffff] as const
const operational = { use: 'LO', senders: 'both', scope: 'SW', irrelevantInDiscovery: true } as const
const lists = { rule: 'list', use: 'IO', senders: 'both', scope: 'CO' } as const
const declared = { rule: 'declaration', scope: 'SW' } as const
const secret = { rule: 'exchange', use: 'IO', senders: 'both', scope: 'CO' } as const
const obsolete = { rule: 'obsolete', use: 'IO', senders: 'both', scope: 'CO' } as const
/** A binary value of 1024 bytes in hexadecimal. */
const largeBinary = { valueBytesMax: 2 + 2 * 1024 } as const

/** All keys, by name. */
export const textKeys = Object.freeze({
  AuthMethod: { section: '12.1', ...lists },
  CHAP_A: { section: '12.1.3', ...secret },
  CHAP_I: { section: '12.1.3', ...secret },
  CHAP_C: { section: '12.1.3', ...secret, ...largeBinary },
  CHAP_N: { section: '12.1.3', ...secret },
  CHAP_R: { section: '12.1.3', ...secret, ...largeBinary },
  HeaderDigest: { section: '13.1', ...lists, default: 'None' },
  DataDigest: { section: '13.1', ...lists, default: 'None' },
  MaxConnections: { section: '13.2', rule: 'minimum', ...operational, range: [1, 65_535], default: 1 },
  SendTargets: { section: '13.3', rule: 'request', use: 'FFPO', senders: 'initiator', scope: 'SW' },
  TargetName: { section: '13.4', ...declared, use: 'ALL', senders: 'both' },
  InitiatorName: { section: '13.5', ...declared, use: 'IO', senders: 'initiator' },
  TargetAlias: { section: '13.6', ...declared, use: 'ALL', senders: 'target' },
  InitiatorAlias: { section: '13.7', ...declared, use: 'ALL', senders: 'initiator' },
  // A domain name of 255 characters, a port and a portal group tag.
  TargetAddress: { section: '13.8', ...declared, use: 'ALL', senders: 'target', valueBytesMax: 255 + 12 },
  TargetPortalGroupTag: { section: '13.9', ...declared, use: 'IO', senders: 'target', range: [0, 65_535] },
  InitialR2T: { section: '13.10', rule: 'or', ...operational, default: true },
  ImmediateData: { section: '13.11', rule: 'and', ...operational, default: true },
  MaxRecvDataSegmentLength: {
    section: '13.12',
    rule: 'declaration',
    use: 'ALL',
    senders: 'both',
    scope: 'CO',
    range: segmentRange,
    default: 8192,
  },
  MaxBurstLength: { section: '13.13', rule: 'minimum', ...operational, range: segmentRange, default: 262_144 },
  FirstBurstLength: { section: '13.14', rule: 'minimum', ...operational, range: segmentRange, default: 65_536 },
  DefaultTime2Wait: { section: '13.15', rule: 'maximum', ...operational, irrelevantInDiscovery: false, range: [0, 3600], default: 2 },
  DefaultTime2Retain: { section: '13.16', rule: 'minimum', ...operational, irrelevantInDiscovery: false, range: [0, 3600], default: 20 },
  MaxOutstandingR2T: { section: '13.17', rule: 'minimum', ...operational, range: [1, 65_535], default: 1 },
  DataPDUInOrder: { section: '13.18', rule: 'or', ...operational, default: true },
  DataSequenceInOrder: { section: '13.19', rule: 'or', ...operational, default: true },
  ErrorRecoveryLevel: { section: '13.20', rule: 'minimum', ...operational, irrelevantInDiscovery: false, range: [0, 2], default: 0 },
  SessionType: { section: '13.21', ...declared, use: 'LO', senders: 'initiator', default: 'Normal' },
  TaskReporting: { section: '13.23', ...operational, rule: 'list', default: 'RFC3720' },
  iSCSIProtocolLevel: { section: '13.24', rule: 'minimum', ...operational, range: [0, 31], default: 1 },
  OFMarker: { section: '13.25', ...obsolete },
  IFMarker: { section: '13.25', ...obsolete },
  OFMarkInt: { section: '13.25', ...obsolete },
  IFMarkInt: { section: '13.25', ...obsolete },
  'X#NodeArchitecture': { section: '13.26', ...declared, use: 'LO', senders: 'both' },
} as const satisfies Readonly<Record<string, TextKey>>)

/** The name of a key. */
export type TextKeyName = keyof typeof textKeys

/** What holds for a key; undefined for one that nobody knows. */
export const textKeyOf = (name: string): TextKey | undefined =>
  Object.hasOwn(textKeys, name) ? (textKeys as Readonly<Record<string, TextKey>>)[name] : undefined

/** Keys whose value comes out of what both sides say, and with it the type of the result. */
type NegotiatedKey = {
  [K in TextKeyName]: (typeof textKeys)[K]['rule'] extends 'and' | 'or' | 'minimum' | 'maximum' | 'list' ? K : never
}[TextKeyName]
type ResultOf<K extends NegotiatedKey> = (typeof textKeys)[K]['rule'] extends 'and' | 'or'
  ? boolean
  : (typeof textKeys)[K]['rule'] extends 'list'
    ? string
    : number

/** The keys that are negotiated in the operational stage. */
export type OperationalKey = Exclude<NegotiatedKey, 'AuthMethod'>

/** What was agreed on, by key. */
export type Agreed = { -readonly [K in OperationalKey]: ResultOf<K> }

/** What one side would like, by key: of a list all values it takes, the best first. A key that is left out is not offered, and answered by its default. */
export type Wanted = { readonly [K in OperationalKey]?: ResultOf<K> extends string ? readonly string[] : ResultOf<K> }

/** What holds before anything is agreed on. */
export const defaultAgreed: Readonly<Agreed> = Object.freeze(
  Object.fromEntries(
    Object.entries<TextKey>(textKeys).flatMap(([name, key]) =>
      key.default === undefined || key.rule === 'declaration' ? [] : [[name, key.default]],
    ),
  ) as Agreed,
)
