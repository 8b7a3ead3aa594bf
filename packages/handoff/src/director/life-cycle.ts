/**
 * The life of a client's connection at the director, as a table: in which state which event does what, and what comes then. What stands nowhere is
 * not expected there and changes nothing: answers that come late, or twice.
 */

/** What a connection is at. */
export const states = [
  /** Its descriptor is ours; the head of its request is not complete. */
  'reading',
  /** The program has answered its SYN, and no stack has it; the head of its request is not complete. */
  'opened',
  /** Diverted and frozen: HANDOFF is sent, and not answered. */
  'holding',
  /** An owner has it. What the client sends beyond the request is passed up. */
  'handed',
  /** An owner has it for good. */
  'forwarded',
  /** An owner has it; of the next request's head a part is here. */
  'gathering',
  /** Its next request is for another owner: the one that has it is asked to let go. */
  'releasing',
  /** The owner's server ends it after what it still has to say; the requests behind that the client has to repeat elsewhere. */
  'finishing',
  /** No owner has it, nor does our stack: HANDOFF is sent, and not answered. */
  'handing-again',
  /** Our own stack has it; the main thread carries its bytes. */
  'proxied',
  'gone',
] as const
/** One of `states`. */
export type State = (typeof states)[number]

/** What can happen to it. */
export const events = [
  /** A request has been read, and there is an owner to hand it to. */
  'request',
  /** A request has been read that cannot be handed over: nobody is healthy, it is too long, or is none. */
  'unfit',
  /** The client has gone before there was a request. */
  'left',
  'accepted',
  /** As `accepted`, and all that follows is for the same owner. */
  'accepted-last',
  /** REFUSE, or no answer. */
  'refused',
  /** Another request for the owner that has it. */
  'same-owner',
  /** A part of the head of another request. */
  'partial',
  /** Another request, for another owner, or one that has to be handed over anew. */
  'other-owner',
  /** All that follows is for the owner that has it: no requests, or none that we understand. */
  'opaque',
  'released',
  'busy',
  /** BUSY for too long: the server is to finish here. */
  'too-busy',
  /** RELEASE has not been answered: nobody knows what the server still sends. */
  'mute',
  /** A head has become too long, or takes too long. */
  'overflow',
  /** The client's RST. */
  'aborted',
  /** The owner's agent has forgotten it. */
  'closed',
  /** The owner's agent is gone, its machine is there: transfers go on. */
  'agent-gone',
  /** The owner's machine is gone. */
  'machine-gone',
  /** Nothing has come for long. */
  'idle',
  /** The client has given the connection up, or has begun another one from the same port. */
  'replaced',
] as const
/** One of `events`. */
export type Event = (typeof events)[number]

/** What is done. */
export type Action =
  /** Divert, freeze, HANDOFF. */
  | 'hand-over'
  /** Give the descriptor to the main thread. */
  | 'proxy'
  /** Close the descriptor. */
  | 'drop'
  /** FIN or RST to the client: there is no descriptor. */
  | 'close'
  /** The descriptor is closed silently, the program told whom to send to; what was kept is sent on. */
  | 'settle'
  /** The descriptor is unfrozen, the entry removed, what was kept injected; then as `proxy`. */
  | 'thaw'
  /** The program is told whom to send to; what was kept is sent on. */
  | 'settle-again'
  /** A socket is made that has the connection's state; then as `proxy`. */
  | 'restore'
  | 'send-on'
  | 'gather'
  | 'gather-first'
  | 'release'
  /** What was kept is sent on, and the program told to look at nothing more. */
  | 'forward-all'
  | 'hand-over-again'
  /** RELEASE is repeated when the client acknowledges more. */
  | 'wait-for-ack'
  /** RELEASE with the client's FIN. */
  | 'finish'
  /** RST to the client, the owner told to forget, the entry removed. */
  | 'reset'
  /** The client's RST goes to the owner, and what follows as well. */
  | 'pass-abort'
  /** The entry is removed. */
  | 'forget'
  /** The owner's agent is told that the connection is over; then as `forget`. */
  | 'abandon'
  /** There is no entry. */
  | 'forget-opened'

type Row = readonly [Action, State]

const owned = {
  closed: ['forget', 'gone'],
  'machine-gone': ['reset', 'gone'],
  idle: ['forget', 'gone'],
  replaced: ['abandon', 'gone'],
} as const

/** The table. */
export const lifeCycle: { readonly [S in State]: { readonly [E in Event]?: Row } } = {
  reading: {
    request: ['hand-over', 'holding'],
    unfit: ['proxy', 'proxied'],
    left: ['drop', 'gone'],
    idle: ['proxy', 'proxied'],
    replaced: ['drop', 'gone'],
  },
  opened: {
    request: ['hand-over-again', 'handing-again'],
    partial: ['gather-first', 'opened'],
    unfit: ['restore', 'proxied'],
    left: ['close', 'gone'],
    aborted: ['forget-opened', 'gone'],
    idle: ['restore', 'proxied'],
    replaced: ['forget-opened', 'gone'],
  },
  holding: {
    accepted: ['settle', 'handed'],
    'accepted-last': ['settle', 'forwarded'],
    left: ['drop', 'gone'],
    refused: ['thaw', 'proxied'],
    'agent-gone': ['thaw', 'proxied'],
    'machine-gone': ['thaw', 'proxied'],
    replaced: ['drop', 'gone'],
  },
  handed: {
    ...owned,
    'same-owner': ['send-on', 'handed'],
    partial: ['gather', 'gathering'],
    'other-owner': ['release', 'releasing'],
    opaque: ['forward-all', 'forwarded'],
    aborted: ['pass-abort', 'forwarded'],
  },
  forwarded: { ...owned },
  gathering: {
    ...owned,
    'same-owner': ['send-on', 'handed'],
    partial: ['gather', 'gathering'],
    'other-owner': ['release', 'releasing'],
    opaque: ['forward-all', 'forwarded'],
    overflow: ['reset', 'gone'],
    aborted: ['pass-abort', 'forwarded'],
  },
  releasing: {
    ...owned,
    released: ['hand-over-again', 'handing-again'],
    busy: ['wait-for-ack', 'releasing'],
    'too-busy': ['finish', 'finishing'],
    mute: ['reset', 'gone'],
    aborted: ['pass-abort', 'forwarded'],
  },
  finishing: { ...owned },
  'handing-again': {
    accepted: ['settle-again', 'handed'],
    'accepted-last': ['settle-again', 'forwarded'],
    refused: ['restore', 'proxied'],
    'agent-gone': ['restore', 'proxied'],
    'machine-gone': ['restore', 'proxied'],
    idle: ['forget', 'gone'],
    replaced: ['abandon', 'gone'],
  },
  proxied: {},
  gone: {},
}

/** The table as text: a line for each state and event, in their order. */
export function lifeCycleText(): string {
  const lines = states.flatMap(state =>
    events.map(event => {
      const row = lifeCycle[state][event]
      return row === undefined ? `${state} + ${event}: -` : `${state} + ${event}: ${row[0]} -> ${row[1]}`
    }),
  )
  return `${lines.join('\n')}\n`
}
