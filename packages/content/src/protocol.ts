/** The files of the shares over HTTP/1.1 (RFC 9110, RFC 9112), as a protocol of the engine. */

import type { WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { ContentConnection, type ContentWorker } from './connection.ts'
import { ContentCounters } from './counters.ts'
import { OpenFiles } from './open-files.ts'
import type { ContentAccounts, ContentShares, ContentThrottle } from './shares.ts'
import { Site } from './site.ts'

/** What content is made of. */
export interface ContentOptions {
  readonly shares: ContentShares
  readonly accounts: ContentAccounts
  readonly throttle: ContentThrottle
  /** What people are asked to log in to; printable ASCII without quotation marks. */
  readonly realm: string
  /** The end of each request is told to the worker's log, with the level debug. */
  readonly tellsRequests?: boolean
  readonly limits?: Partial<ContentLimits>
}

/** Limits of each worker. */
export interface ContentLimits {
  /** A connection on which nothing is asked for that long is closed. */
  readonly restMsMax: number
  /** Files that stay open for the next request. */
  readonly openFiles: number
}

/** Browsers keep connections for a minute or two; a file that nobody reads is closed soon, since it may have been deleted. */
export const defaultContentLimits: ContentLimits = { restMsMax: 75_000, openFiles: 256 }

const fileIdleMs = 5000
const sweepMs = 1000
/** A client that takes nothing for that long does not want it. */
const stallMs = 300_000

/**
 * The protocol of a worker. Listen for it with `contentFraming` and `distributed: true`.
 *
 * @example
 * const docs = {
 *   name: 'docs',
 *   comment: '',
 *   fileSystem: memory(),
 *   isPublic: true,
 *   hasActiveContent: false,
 *   hidesUnreadable: false,
 *   admits: () => true,
 *   mayRead: () => true,
 *   mayList: () => true,
 * }
 * const options = {
 *   shares: { find: (name: string) => (name.toLowerCase() === 'docs' ? docs : undefined), list: () => [docs] },
 *   accounts: { verify: () => undefined, nobody: { name: '' } },
 *   throttle: new LoginThrottle(),
 *   realm: 'Holdfast',
 * }
 * await runWorker({ content: { framing: contentFraming, create: node => createContentProtocol(node, options) } })
 */
export function createContentProtocol(node: WorkerNode, options: ContentOptions): WorkerProtocol & { close(): Promise<void> } {
  const limits = { ...defaultContentLimits, ...options.limits }
  const nowMs = (): number => performance.now()
  const files = new OpenFiles({ filesMax: limits.openFiles, idleMs: fileIdleMs }, nowMs)
  const connections = new Set<ContentConnection>()
  const counters = new ContentCounters(node.counters)
  const { shares, accounts, throttle, realm, tellsRequests = false } = options
  const onError = (error: unknown): void =>
    node.log('error', 'a request for content failed', { error: error instanceof Error ? error.stack : String(error) })
  const worker: ContentWorker = {
    node,
    site: new Site({ shares, accounts, files, realm, onError }),
    accounts,
    throttle,
    counters,
    tellsRequests,
    nowMs,
    forget: connection => void connections.delete(connection),
  }
  const sweep = setInterval(() => {
    files.sweep()
    counters.openFiles.set(files.size)
    counters.connections.set(connections.size)
    const now = nowMs()
    for (const connection of connections) {
      const rest = connection.restMs(now, stallMs)
      if (rest === 'stalled') connection.end('nothing was taken for long')
      else if (rest > limits.restMsMax) connection.end('nothing was asked for long')
    }
  }, sweepMs)
  sweep.unref()
  return {
    accept(connection) {
      const handler = new ContentConnection(worker, connection)
      connections.add(handler)
      return handler
    },
    async close() {
      clearInterval(sweep)
      files.close()
    },
  }
}
