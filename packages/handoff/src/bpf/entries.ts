/**
 * What the programs in the kernel and the agents say to each other: keys and values of the flow maps. The kernel's side reads them by the
 * offsets of these layouts (`offsetsOf`), so there is one place that says where something is.
 *
 * An address has 16 bytes; an IPv4 one is written as IPv4-mapped (RFC 4291 2.5.5.2). Ports and addresses are in network order, as packets have them;
 * all else is in the order of the machine. All arithmetic of sequence numbers and timestamps is modulo 2^32.
 */

import { bytes, reserved, struct, u16, u16be, u32, u64n, u8 } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'

/** Key of both maps: a packet's addresses and ports as it comes, 36 bytes. */
export const FlowKey = struct('flow key', {
  source: bytes(16),
  destination: bytes(16),
  sourcePort: u16be,
  destinationPort: u16be,
})
export type FlowKey = Infer<typeof FlowKey>

/** What the director's program does with a packet of a client that has an entry. What is none of these goes to the director's own stack. */
export const DirectorAction = {
  /** To the owner. */
  forward: 1,
  /** To the owner when it has no payload, or payload up to `forwardUntil` only, or is a request that is known to be the owner's (`requestAt`); up to the agent otherwise. */
  split: 2,
  /** Up to the agent. */
  hold: 3,
} as const
/** One of `DirectorAction`. */
export type DirectorAction = (typeof DirectorAction)[keyof typeof DirectorAction]

/**
 * In `flagsSeen` of a `DirectorEntry`, beside TCP's flags: the client has begun another connection from the same port. The program writes it and nobody takes it back, so that it holds whatever the agent writes at the same
 * time. From then on packets go where they went without an entry: to what the program has opened, or to the director's own stack.
 */
export const replacedFlag = 0x1_0000

/** There as well: the client has reset the connection, with the very number that was expected. What only comes near may be of a connection before, and it is the server that asks (RFC 5961 3.2). */
export const resetFlag = 0x2_0000

/** How a packet gets to the owner's machine. */
export const ForwardMethod = {
  /** As it is, to the next hop's link address (bpf_redirect_neigh). */
  neighbour: 0,
  /** In a UDP datagram to the server agent, whose program unwraps it. */
  encapsulate: 1,
} as const
/** One of `ForwardMethod`. */
export type ForwardMethod = (typeof ForwardMethod)[keyof typeof ForwardMethod]

/** Value of the director's map, by the key client → VIP. The second half is what an agent that starts again has to know. */
export const DirectorEntry = struct('director entry', {
  /** `DirectorAction`. */
  action: u32,
  /** `ForwardMethod`. */
  method: u32,
  /** Of `neighbour`: the interface to leave by. */
  interfaceIndex: u32,
  /** Of `split`: the sequence number up to which payload goes to the owner without being looked at (the rest of a request's content). */
  forwardUntil: u32,
  /** Of `neighbour`. */
  nextHop: bytes(16),
  /** Address of the server agent that has the connection; the outer destination of `encapsulate`. */
  agent: bytes(16),
  /** Outer source of `encapsulate`. */
  outerSource: bytes(16),
  agentPort: u16be,
  outerSourcePort: u16be,
  reserved3: reserved(u32),
  /** Counted by the program: packets and bytes (from the IP header on) of the client since the entry was made. */
  packets: u64n,
  bytes: u64n,
  /** When the last packet came, in ns of CLOCK_MONOTONIC. */
  lastNs: u64n,
  /** All TCP flags of the client's packets so far, or-ed, but for a SYN's; `replacedFlag` and `resetFlag`. */
  flagsSeen: u32,
  /** Acknowledgement number of the client's last packet that has one, and was no SYN and no RST. */
  lastAck: u32,
  /** Where the client's last packet ended that was no SYN and no RST: its sequence number and length (a FIN counts). */
  lastSequenceEnd: u32,
  /** Written by the program where `requestAt` is: what the client had acknowledged when its last request was sent on. */
  requestAck: u32,
  /**
   * Of `split`: 2^32 and the sequence number at which the client's next request begins, where the program is to send those on that are known to be the owner's. It moves on with each, and counts in place of
   * `forwardUntil`. 0: all requests are the agent's to send on. `RequestLead` gives and takes it: the agent and the program never both decide.
   */
  requestAt: u64n,
  /** Of the hand-off: grows with each owner of the connection. */
  generation: u32,
  connection: u64n,
  /** What was agreed when the connection began: the client's MSS, `HandoffOptions`, both window scales, the window the client was told. */
  mss: u16,
  options: u8,
  clientScale: u8,
  directorScale: u8,
  /** The agent's own word (where a request of the client has been seen to begin, and the like). */
  note: u8,
  reserved: reserved(u16),
  receiveWindow: u32,
})
export type DirectorEntry = Infer<typeof DirectorEntry>

/**
 * Value of the director's map of openings, by the key client → VIP: what was agreed with a client whose SYN the director's program has answered itself, and whose first packet with payload or FIN has not been
 * taken yet. There is no socket for it.
 */
export const OpeningEntry = struct('opening', {
  /** Initial sequence numbers: the client's, and ours (RFC 9293 3.4.1). */
  clientSequence: u32,
  serverSequence: u32,
  /** The TSval of the client's SYN, and that of our SYN-ACK: CLOCK_MONOTONIC in ms, modulo 2^32. 0 without timestamps. */
  tsVal: u32,
  tsDirector: u32,
  /** The client's, or what counts where it says none (RFC 9293 3.7.1). */
  mss: u16,
  /** `HandoffOptions` that both have. */
  options: u8,
  /** Both are 0 without window scaling. */
  clientScale: u8,
  directorScale: u8,
  reserved: reserved(bytes(3)),
  /** What the client was told, in bytes: in a SYN-ACK it is not scaled (RFC 7323 2.2). */
  receiveWindow: u32,
  reserved2: reserved(u32),
  /** When the client's last packet came, in ns of CLOCK_MONOTONIC. */
  lastNs: u64n,
})
export type OpeningEntry = Infer<typeof OpeningEntry>

/** What the server agent's program does with a packet that has an entry. */
export const AgentState = {
  /** It is transformed. */
  established: 0,
  /** The server's SYN-ACK is kept in the entry and goes no further, and nothing else of the server does. */
  handshake: 1,
  /** It passes untouched. */
  dead: 2,
} as const
/** One of `AgentState`. */
export type AgentState = (typeof AgentState)[keyof typeof AgentState]

/** What came of the server while the entry was in `handshake`. */
export const Captured = { nothing: 0, synAck: 1, other: 2 } as const
/** One of `Captured`. */
export type Captured = (typeof Captured)[keyof typeof Captured]

/** Longest TCP header. */
export const tcpHeaderBytesMax = 60

/**
 * Value of the server agent's map. Each connection has two entries: `out`, by the key server → client, and `in`, by the key client → VIP. What is added is
 * 0 where nothing changes.
 */
export const AgentEntry = struct('server agent entry', {
  newSource: bytes(16),
  newDestination: bytes(16),
  newSourcePort: u16be,
  newDestinationPort: u16be,
  addSequence: u32,
  /** Also to both edges of SACK blocks (RFC 2018). */
  addAcknowledgement: u32,
  addTsVal: u32,
  /** A TSecr of 0 is left alone (RFC 7323 3.2). */
  addTsEcr: u32,
  /** The window is shifted left by the one and right by the other, when they differ: at most 65535, and at least 1 unless it was 0; not in a SYN. */
  windowScaleFrom: u8,
  windowScaleTo: u8,
  /** `AgentState`. */
  state: u8,
  /** `Captured`. */
  captured: u8,
  /** All TCP flags so far, or-ed. */
  flagsSeen: u32,
  /** Where the furthest packet with anything in it ended, as its receiver sees it (after the transformation). */
  sequenceEndMax: u32,
  /** Acknowledgement number of the last packet, as its receiver sees it. */
  lastAck: u32,
  reserved3: reserved(u32),
  packets: u64n,
  bytes: u64n,
  /** When the last packet came, in ns of CLOCK_MONOTONIC. */
  lastNs: u64n,
  /** In `handshake`: TCP header of the SYN-ACK, with its options. Later, what is known of requests and responses: `Answers` in `out`, `Asked` in `in`. */
  synAck: bytes(tcpHeaderBytesMax),
  /** Of the hand-off. */
  generation: u32,
  connection: u64n,
  /** The director that has the client's first connection. */
  director: bytes(16),
  directorPort: u16be,
  /** 0 for `out`, 1 for `in`. */
  direction: u8,
  reserved: reserved(u8),
  /** What a director that takes over has to know: see `DirectorEntry`. */
  mss: u16,
  options: u8,
  clientScale: u8,
  directorScale: u8,
  reserved2: reserved(bytes(3)),
  receiveWindow: u32,
})
export type AgentEntry = Infer<typeof AgentEntry>

/** What is known of a response: nothing; where it ends; how it ends so far; that the client has several requests under way, and where any of the responses ends can't be told. */
export const AnswerKind = { none: 0, length: 1, open: 2, mixed: 3 } as const
/** One of `AnswerKind`. */
export type AnswerKind = (typeof AnswerKind)[keyof typeof AnswerKind]

/** The server's responses, as the program has followed them (`transform/answers.ts`). Sequence numbers are those that the client knows. */
export const Answers = struct('answers', {
  /** Of `open`: the last bytes that the server has sent. */
  tail: bytes(8),
  /** `AnswerKind`. */
  kind: u32,
  /** How many there have been: heads, but for those of interim responses (1xx). */
  responses: u32,
  /** 1: the last head was of an interim response, or there has been none. */
  isInterim: u32,
  /** Where the last head ended. */
  headEnd: u32,
  /** Of `length`: where the response ends, and the next one begins. */
  end: u32,
  /** Of `open`: up to where `tail` is known. */
  followedEnd: u32,
})
export type Answers = Infer<typeof Answers>

/** The client's requests, as far as the program has seen them. A packet is a request when it begins with a method, and several when it has been made of several of GET or HEAD (GRO): those have no content. */
export const Asked = struct('asked', {
  /** Where the last packet with payload ended. */
  end: u32,
  /** How many there have been. */
  requests: u32,
  /** 1: the last one's method was HEAD. */
  isHead: u32,
})
export type Asked = Infer<typeof Asked>

/** Last bytes of what is chunked, without trailers (RFC 9112 7.1). */
export const lastChunk = '\r\n0\r\n\r\n'

/** Indices of the map of totals (an array of u64 for each CPU), which both programs count in. */
export const Total = {
  forwardedPackets: 0,
  forwardedBytes: 1,
  raisedPackets: 2,
  raisedBytes: 3,
  /** From the server to clients, at the server agent. */
  outPackets: 4,
  outBytes: 5,
  /** From clients to the server, at the server agent. */
  inPackets: 6,
  inBytes: 7,
  /** For a VIP, of no connection that is known. */
  unknownPackets: 8,
  /** Could not be changed or sent on. */
  droppedPackets: 9,
  /** SYNs that the director's program has answered, repeated ones too. */
  answeredSyns: 10,
  /** Requests that the director's program has sent on by itself. */
  knownRequests: 11,
  count: 12,
} as const
