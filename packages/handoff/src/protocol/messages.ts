/**
 * The hand-off protocol: one UDP datagram a message, big-endian. Each has a header, which ends with a MAC of the whole datagram, and
 * what its type has. A director begins a session with each server agent (HELLO, WELCOME); the sequence numbers of a session are never used twice, so
 * that a datagram that comes again, or from before the agent was started, changes nothing.
 */

import { bytes, fixed, reserved, struct, u16be, u32be, u64nbe, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'

/** First bytes of each message; the last is the layout's number. */
export const magic = 'HFO1'

/** Who sends what: D director, A server agent. */
export const MessageType = {
  /** D: the state of a client's connection and its request: `Handoff`, then the request's bytes. */
  handoff: 1,
  /** A: a list of `ConnectionName`: their hand-offs are done. */
  accept: 2,
  /** A: `Refuse`. The director carries on by itself. */
  refuse: 3,
  /** D: `Continue`, then payload: what the client has sent after the hand-off, and the director has looked at. */
  continue: 4,
  /** D: `Release`: another server goes on. Answered by `released` or `busy`. */
  release: 5,
  /** A: a list of `ConnectionName`: their entries are gone. */
  closed: 6,
  /** D: `FlowName`: who has this connection? (the director that had it is gone). */
  whoHas: 7,
  /** A: `Owner`: I have. */
  owner: 8,
  /** D: `Hello` begins a session. */
  hello: 9,
  /** A: `Welcome`. */
  welcome: 10,
  /** D: `Heartbeat`: is somebody there? */
  heartbeat: 11,
  /** A: a `ConnectionName`: its server has sent more than the client has. */
  busy: 12,
  /** A: a `ConnectionName`: its second connection is gone. */
  released: 13,
  /** A: there is no such session (any more): begin one. Empty; the header has that session's number. */
  stranger: 14,
  /** A: `Heartbeat`, in answer to one. A type of its own: a director does not take what it has said itself for an answer. */
  alive: 15,
} as const
/** One of `MessageType`. */
export type MessageType = (typeof MessageType)[keyof typeof MessageType]

/** In front of each message: 40 bytes. */
export const Header = struct('hand-off header', {
  magic: fixed(u32be, Buffer.from(magic, 'latin1').readUInt32BE()),
  /** `MessageType`. */
  type: u8,
  reserved: reserved(u8),
  /** Bytes after the header. */
  lengthBytes: u16be,
  /** Chosen by the server agent in its WELCOME; 0 in HELLO. In STRANGER the one that is not known: the number of a live one can't be made to look like it. */
  session: u64nbe,
  /** Of the sender in this session, from 1 on; in HELLO, WELCOME and STRANGER, any. */
  sequence: u64nbe,
  /** HMAC-SHA-256 with the cluster's key over the whole datagram, in which this is zero: its first 16 bytes. */
  mac: bytes(16),
})
export type Header = Infer<typeof Header>

/** What client and director agreed on, as bits. */
export const HandoffOptions = { timestamps: 1, sack: 2, windowScale: 4 } as const

/** A connection by the director's own number; the generation grows with each owner. */
export const ConnectionName = struct('connection', { connection: u64nbe, generation: u32be })
export type ConnectionName = Infer<typeof ConnectionName>

/** A connection by its addresses and ports. */
export const FlowName = struct('flow', { client: bytes(16), vip: bytes(16), clientPort: u16be, vipPort: u16be })
export type FlowName = Infer<typeof FlowName>

/** What of the first connection the second one has to know (HANDOFF); the request's bytes follow. */
export const Handoff = struct('HANDOFF', {
  connection: u64nbe,
  generation: u32be,
  client: bytes(16),
  vip: bytes(16),
  clientPort: u16be,
  vipPort: u16be,
  /** rcv_nxt, after the request's bytes. */
  clientSequenceNext: u32be,
  /** snd_nxt of the director. */
  serverSequenceNext: u32be,
  /** TSval to go on from. */
  tsDirector: u32be,
  /** The client's last TSval that is known. */
  tsClient: u32be,
  /** Bytes the client takes. */
  sendWindow: u32be,
  /** Bytes the client was told that we take. */
  receiveWindow: u32be,
  /** The client's. */
  mss: u16be,
  /** `HandoffOptions`. */
  options: u8,
  clientScale: u8,
  directorScale: u8,
  /** `HandoffFlags`. */
  flags: withDefault(u8, 0),
  requestBytes: u16be,
})
export type Handoff = Infer<typeof Handoff>

/** `clientFinished`: the client has sent its FIN, which `clientSequenceNext` counts. */
export const HandoffFlags = { clientFinished: 1 } as const

/** Why a hand-off is refused. */
export const RefuseReason = {
  /** The server did not answer the SYN. */
  serverDown: 1,
  /** It answered, but without an option that the client has been promised. */
  optionMissing: 2,
  /** The map is full, or no port is free. */
  noRoom: 3,
  /** The agent is about to end. */
  ending: 4,
  /** The kernel says no. */
  system: 5,
  /** It has waited for longer than `handoffGoodForMs`: the director may have gone on without. */
  late: 6,
} as const

/**
 * An agent that has stood still takes no connection whose HANDOFF came that long ago; and a director gives up only when none can be taken any more. So the client is answered by one server, whoever of the two has been
 * slow.
 */
export const handoffGoodForMs = 500
/** One of `RefuseReason`. */
export type RefuseReason = (typeof RefuseReason)[keyof typeof RefuseReason]

/** REFUSE. */
export const Refuse = struct('REFUSE', { connection: u64nbe, generation: u32be, reason: u32be })
export type Refuse = Infer<typeof Refuse>

/** CONTINUE: a packet of the client, in its own numbers; the payload follows. */
export const Continue = struct('CONTINUE', {
  connection: u64nbe,
  generation: u32be,
  sequence: u32be,
  acknowledgement: u32be,
  tsVal: u32be,
  tsEcr: u32be,
  window: u16be,
  /** TCP flags. */
  flags: u8,
  reserved: reserved(u8),
})
export type Continue = Infer<typeof Continue>

/** RELEASE: `clientAck` is what the client has acknowledged, in its own numbers. */
export const Release = struct('RELEASE', { connection: u64nbe, generation: u32be, clientAck: u32be, flags: u32be })
export type Release = Infer<typeof Release>

/**
 * `finish`: nothing more comes from the client; its FIN is put behind what it has sent, so that the server ends the connection after what it still has to say.
 * `reset`: whatever the server still has to say is of no use to anybody.
 */
export const ReleaseFlags = { finish: 1, reset: 2 } as const

/** OWNER: the state of a connection for a director that has not got it. */
export const Owner = struct('OWNER', {
  connection: u64nbe,
  generation: u32be,
  client: bytes(16),
  vip: bytes(16),
  clientPort: u16be,
  vipPort: u16be,
  receiveWindow: u32be,
  mss: u16be,
  options: u8,
  clientScale: u8,
  directorScale: u8,
  reserved: reserved(bytes(3)),
})
export type Owner = Infer<typeof Owner>

/** HELLO: `director` is a random number of this process, `nonce` one of this greeting, the same until WELCOME comes. */
export const Hello = struct('HELLO', { director: u64nbe, nonce: u64nbe })
export type Hello = Infer<typeof Hello>

/** WELCOME: the session is in the header; `nonce` is that of the HELLO. The server is what a request can be proxied to. */
export const Welcome = struct('WELCOME', {
  nonce: u64nbe,
  server: bytes(16),
  serverPort: u16be,
  reserved: reserved(u16be),
  /** Connections the agent has room for. */
  capacity: u32be,
})
export type Welcome = Infer<typeof Welcome>

/** ALIVE: how many connections the server agent has. HEARTBEAT: 0. */
export const Heartbeat = struct('HEARTBEAT', { connections: u32be, reserved: reserved(u32be) })
export type Heartbeat = Infer<typeof Heartbeat>
