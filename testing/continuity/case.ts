/** What a case is: a question to a server, and the answer that the specification gives. */
import type { Account } from '../peers/server.ts'
import type { Client } from './client.ts'

/** A share that was set up without anything special, or one that is continuously available. */
export type ShareKind = 'plain' | 'available'

/** One case. */
export interface Case {
  /** The section it checks, of MS-SMB2 unless it says otherwise. */
  readonly section: string
  readonly title: string
  /** Default: a plain one. With several the case runs on each. */
  readonly shares?: readonly ShareKind[]
  /** What the specification says, in the words that `ask` returns. */
  readonly expect: string
  readonly ask: (scene: Scene) => Promise<string>
  /** Why Samba's smbd answers something else; there exactly where it does. */
  readonly samba?: string
  /** Not asked of smbd: it has nothing that could be asked. */
  readonly oursOnly?: string
}

/** What a new client is. */
export interface ClientWish {
  /** Comes back as this one: the same ClientGuid and account. */
  readonly as?: Client
  readonly clientGuid?: string
  readonly account?: Account
  readonly dialect?: number
  readonly capabilities?: number
  /** Tells whose session this one takes the place of (PreviousSessionId). */
  readonly previous?: Client
}

/** What a case has at hand; all of its own. */
export interface Scene {
  readonly share: ShareKind
  /** A name in the share that nobody else uses. */
  readonly path: string
  /** Another user. */
  readonly second: Account
  /** Connects a client; its connections end with the case. */
  client(wish?: ClientWish): Promise<Client>
  /** Cuts a client's connections, and returns when the server knows of it. */
  lose(client: Client): Promise<void>
  /** The server's process ends without a word, and another one begins with the state it left. Only for cases of a failover. */
  failOver(): Promise<void>
  /** Whether a file is there, looked up on the server's disk. */
  exists(path: string): boolean
}

/** The title of its test, and its name in the table of answers. */
export const nameOf = ({ section, title }: Case, share: ShareKind): string =>
  `${section.startsWith('MS-') ? section : `MS-SMB2 ${section}`}: ${title}${share === 'available' ? ' (continuously available)' : ''}`

/** A case on one of its shares. */
export interface Asked {
  readonly one: Case
  readonly share: ShareKind
  readonly name: string
}

/** Each case on each of its shares. */
export const unfold = (cases: readonly Case[]): Asked[] =>
  cases.flatMap(one => (one.shares ?? ['plain']).map(share => ({ one, share, name: nameOf(one, share) })))

/** Asks until the answer is the one that is waited for, or the time is over: the server hears of the end of a connection when it does. */
export async function until<T>(ask: () => Promise<T>, isIt: (answer: T) => boolean): Promise<T> {
  const end = performance.now() + 5000
  for (;;) {
    const answer = await ask()
    if (isIt(answer) || performance.now() > end) return answer
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
