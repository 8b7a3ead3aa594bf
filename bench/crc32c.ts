/**
 * `node bench/crc32c.ts`: the digest of iSCSI beside what else Node has. Gigabytes per second, the best of many rounds, as others use the machine
 * too. `tables` is what JavaScript alone can do (eight tables for eight bytes); `zlib.crc32` is C++, with another polynomial.
 */
import { crc32 } from 'node:zlib'
import { crc32c } from '@holdfast/iscsi/pdu'

const tables = Array.from({ length: 8 }, () => new Int32Array(256))
for (let i = 0; i < 256; i++) {
  let crc = i
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  tables[0][i] = crc
}
for (let table = 1; table < 8; table++)
  for (let i = 0; i < 256; i++) tables[table][i] = (tables[table - 1][i] >>> 8) ^ tables[0][tables[table - 1][i] & 0xff]
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables

/** Whole numbers of eight bytes only. */
function byTables(bytes: Uint8Array): number {
  let crc = -1
  for (let at = 0; at < bytes.length; at += 8) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    crc =
      t7[crc & 0xff] ^
      t6[(crc >>> 8) & 0xff] ^
      t5[(crc >>> 16) & 0xff] ^
      t4[crc >>> 24] ^
      t3[bytes[at + 4]] ^
      t2[bytes[at + 5]] ^
      t1[bytes[at + 6]] ^
      t0[bytes[at + 7]]
  }
  return ~crc >>> 0
}

const contenders: Readonly<Record<string, (bytes: Uint8Array) => number>> = {
  crc32c: bytes => crc32c(bytes),
  tables: byTables,
  'zlib.crc32': bytes => crc32(bytes),
}
const sizes = [48, 512, 4096, 16_384, 65_536, 262_144]
const rounds = 60

function bestRate(run: () => unknown, lengthBytes: number): number {
  const calls = Math.max(20, Math.round(2_000_000 / lengthBytes))
  let bestMs = Infinity
  for (let round = 0; round < rounds; round++) {
    const begin = performance.now()
    for (let i = 0; i < calls; i++) run()
    bestMs = Math.min(bestMs, performance.now() - begin)
  }
  return (calls * lengthBytes) / bestMs / 1e6
}

console.log(['GB/s, bytes:'.padEnd(24), ...sizes.map(size => String(size).padStart(8))].join(''))
for (const shared of [false, true]) {
  for (const [name, run] of Object.entries(contenders)) {
    const rates = sizes.map(size => {
      const bytes = shared ? Buffer.from(new SharedArrayBuffer(size)) : Buffer.alloc(size)
      bytes.forEach((_, i) => (bytes[i] = i * 7))
      if (name === 'tables' && byTables(bytes) !== crc32c(bytes)) throw new Error(`two results for ${size} bytes`)
      return bestRate(() => run(bytes), size)
    })
    console.log([`${name}${shared ? ', shared memory' : ''}`.padEnd(24), ...rates.map(rate => rate.toFixed(2).padStart(8))].join(''))
  }
}
