/** From a file to a socket without a copy: the kernel sends its own pages (sendfile(2)). */
import { errno } from './errors.ts'
import { libc } from './libc.ts'

const pageBytes = 4096
/** struct cachestat_range: offset and length; struct cachestat: nr_cache, nr_dirty, nr_writeback, nr_evicted, nr_recently_evicted; 64 bits each. */
let canTell = true
const range = new BigUint64Array(2)
const rangeBytes = new Uint8Array(range.buffer)
const statistics = new BigUint64Array(5)
const statisticsBytes = new Uint8Array(statistics.buffer)
const position = new BigInt64Array(1)
const positionBytes = new Uint8Array(position.buffer)

/**
 * Whether all pages of a range of a file are in memory, so that nobody would wait for a disk (cachestat(2), Linux 6.5). Holes are not; and where
 * the kernel does not tell, nothing is.
 */
export function isCached(fd: number, offset: number, lengthBytes: number): boolean {
  range[0] = BigInt(offset)
  range[1] = BigInt(lengthBytes)
  if (!canTell) return false
  const result = libc.cachestat(fd, rangeBytes, statisticsBytes, 0)
  if (result === -errno.ENOSYS) canTell = false
  if (result !== 0) return false
  const pages = Math.floor((offset + lengthBytes - 1) / pageBytes) - Math.floor(offset / pageBytes) + 1
  return Number(statistics[0]) >= pages
}

/**
 * Sends bytes of a file, as many as the socket takes at once, if the socket does not block (O_NONBLOCK). Returns their number: 0 also when the connection
 * is broken or the file cannot be read. Waits for what `isCached` says is not in memory. What is written to the file before the client
 * has taken the bytes may be what it gets.
 */
export function sendFileNow(socket: number, file: number, offset: number, lengthBytes: number): number {
  position[0] = BigInt(offset)
  return Math.max(0, libc.sendfile(socket, file, positionBytes, lengthBytes))
}
