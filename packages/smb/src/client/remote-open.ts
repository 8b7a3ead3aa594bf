/** An open as the client knows it (MS-SMB2 3.2.1.6): what it takes to have it again after the connection was lost. */
import { randomUUID } from 'node:crypto'
import type { FileId } from '../messages/index.ts'
import { SmbError } from './errors.ts'
import type { OpenRequest } from './handle.ts'
import { friendlyPath } from './path.ts'
import { nextOpenState, openStates } from './states.ts'
import type { OpenEvent, OpenState } from './states.ts'
import type { Tree } from './tree.ts'

/** A lease of this open alone (MS-SMB2 3.2.1.5). */
export interface Lease {
  readonly key: string
  /** `LeaseState` bits. */
  state: number
  /** 16 bits; counts the server's changes. */
  epoch: number
}

/** What stays the same about a file while nobody changes it. */
export interface Fingerprint {
  /** 0n where the server does not tell. */
  readonly diskFileId: bigint
  readonly creationTime: bigint
  readonly lastWriteTime: bigint
  readonly endOfFile: number
}

/** What a server does for an open whose connection is lost. */
export type Durability = 'none' | 'durable' | 'persistent'

/** LockSequenceIndex is 1 to 64, LockSequenceNumber has 4 bits (MS-SMB2 2.2.26). */
const lockSlots = 64
const lockNumbers = 16

/**
 * One open. It is itself the FileId of the requests about it: they are encoded when they are sent, with the id that it has then.
 */
export class RemoteOpen implements FileId {
  persistent = 0n
  volatile = 0n
  readonly tree: Tree
  readonly request: OpenRequest
  /** As on the wire; another one after a rename. */
  name: string
  createGuid: string = randomUUID()
  durability: Durability = 'none'
  /** Why the server did not give back what it had promised to keep. */
  refusal: SmbError | undefined
  /** Undefined: none was asked for, or granted. */
  lease: Lease | undefined
  fingerprint: Fingerprint | undefined
  /** Byte-range locks were taken: without durability they are gone, and so is the open. */
  hasLocked = false
  readonly #lockNumbers = new Uint8Array(lockSlots)
  readonly #lockSlotsInUse = new Set<number>()
  #state: OpenState = 'open'
  #error: SmbError | undefined

  constructor(tree: Tree, request: OpenRequest) {
    this.tree = tree
    this.request = request
    this.name = request.name
  }

  get state(): OpenState {
    return this.#state
  }

  /** For errors. */
  get path(): string {
    return friendlyPath(this.name)
  }

  /** Why there can be no more requests; undefined while there can. */
  get error(): SmbError | undefined {
    return openStates[this.#state].usable ? undefined : this.#error
  }

  go(event: OpenEvent): void {
    this.#state = nextOpenState(this.#state, event)
  }

  /** The server does not give it back: where nothing else helps, it is lost. */
  refuse(cause: SmbError): void {
    this.refusal = cause
    this.durability = 'none'
    // It may have been closed meanwhile.
    this.go('interrupt')
  }

  /** The server does not have it any more. */
  lose(cause: SmbError | undefined): void {
    const why = cause === undefined ? 'the server keeps no opens of a lost connection' : cause.message
    this.#error = new SmbError('HANDLE_LOST', `'${this.path}' is not open any more since the connection was lost: ${why}`, { path: this.path, cause })
    this.go('lose')
  }

  /** LockSequence of a LOCK request, and what frees it (3.2.4.19); 0 where there are too many at a time. */
  takeLockSequence(): { readonly lockSequence: number; release(): void } {
    for (let slot = 0; slot < lockSlots; slot++) {
      if (this.#lockSlotsInUse.has(slot)) continue
      this.#lockSlotsInUse.add(slot)
      const number = (this.#lockNumbers[slot] + 1) % lockNumbers
      this.#lockNumbers[slot] = number
      return { lockSequence: ((slot + 1) << 4) | number, release: () => void this.#lockSlotsInUse.delete(slot) }
    }
    return { lockSequence: 0, release: () => undefined }
  }
}
