/** Files on a server, as the client commands use them. The SMB client is connected to this in `connect.ts`. */

/** What a folder has, or a path stands for. */
export interface RemoteEntry {
  readonly name: string
  readonly kind: 'file' | 'folder' | 'symlink' | 'other'
  /** 0 for folders. */
  readonly sizeBytes: number
  readonly writtenAt: Date
}

export interface RemoteShare {
  readonly name: string
  readonly kind: 'disk' | 'printer' | 'device' | 'ipc'
  readonly comment: string
}

export interface TransferOptions {
  readonly signal?: AbortSignal
}

/**
 * One share. Paths are relative to it, components separated by `/`; `''` is its root. What fails throws an error with a stable `code`:
 * `not-found`, `exists`, `access-denied`, `not-empty`, … (FsErrorCode), and a message for people.
 */
export interface RemoteFiles {
  /** Undefined where there is nothing. */
  stat(path: string): Promise<RemoteEntry | undefined>
  /** Without `.` and `..`. */
  list(path: string, options?: TransferOptions): AsyncIterable<RemoteEntry>
  /** The content in order. A chunk is valid until the next one is asked for; reads ahead as it sees fit. */
  read(path: string, options?: TransferOptions): AsyncIterable<Uint8Array>
  /** Creates or replaces a file. Chunks may be asked for before earlier ones are on the server: each is a buffer of its own. */
  write(path: string, chunks: AsyncIterable<Uint8Array>, options?: TransferOptions): Promise<void>
  /** Fails with `exists` when it is there. */
  makeFolder(path: string): Promise<void>
  removeFile(path: string): Promise<void>
  /** Fails with `not-empty`. */
  removeFolder(path: string): Promise<void>
}

/** A connection with a session. */
export interface RemoteServer extends AsyncDisposable {
  shares(): Promise<readonly RemoteShare[]>
  share(name: string): Promise<RemoteFiles>
}

export interface RemoteCredentials {
  readonly host: string
  readonly port: number
  readonly user: string
  /** `''` where none was given. */
  readonly domain: string
  readonly password: string
}

/** What becomes of a connection: it is lost, back, or given up. */
export type OnInterruption = (kind: 'lost' | 'restored' | 'given-up') => void

/** Rejects with a message for people when the server is not there or refuses the password. */
export type ConnectRemote = (credentials: RemoteCredentials, onInterruption?: OnInterruption) => Promise<RemoteServer>

/** The `code` of what was thrown, if it has one. */
export const codeOf = (error: unknown): unknown => (error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined)
