/** `node crash-writer.ts FILE SYNCHRONOUS BEGIN`: writes transactions without end, prints the number of each when it is answered. */
import { writeSync } from 'node:fs'
import { sqliteStore } from '../store/sqlite/sqlite.ts'

const [path, synchronous, begin] = process.argv.slice(2)
const inFlight = 16
let next = Number(begin)

const store = await sqliteStore({ path, synchronous: synchronous === 'NORMAL' ? 'NORMAL' : 'FULL', history: { revisions: 500 } })
await Promise.all(
  Array.from({ length: inFlight }, async () => {
    for (;;) {
      const id = next++
      const value = Buffer.alloc(id % 3000, 'x')
      await store.txn({
        success: [...['a', 'b'].map(half => ({ type: 'put' as const, key: `${half}/${id}`, value })), { type: 'delete', key: `a/${id - 5000}` }],
      })
      writeSync(1, `${id}\n`)
    }
  }),
)
