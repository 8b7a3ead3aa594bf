/** What every store must do, as tests of node:test. */
import { describe, test } from 'node:test'
import { leaseChecks } from './compliance/leases.ts'
import { lifecycleChecks } from './compliance/lifecycle.ts'
import { rangeChecks } from './compliance/ranges.ts'
import type { Check, StoreUnderTest } from './compliance/scope.ts'
import { transactionChecks } from './compliance/transactions.ts'
import { watchChecks } from './compliance/watches.ts'

export type { Check, StoreUnderTest } from './compliance/scope.ts'

/** All checks: transactions, ranges, watches, leases, closing. */
export const storeChecks: readonly Check[] = [...transactionChecks, ...rangeChecks, ...watchChecks, ...leaseChecks, ...lifecycleChecks]

/** Declares the tests, each with an empty store of its own from `factory`: `storeCompliance('mine', async () => ({ store, advance, dispose }))`. */
export function storeCompliance(name: string, factory: () => StoreUnderTest | Promise<StoreUnderTest>): void {
  describe(`store: ${name}`, () => {
    for (const { title, run } of storeChecks) {
      test(title, { timeout: 30_000 }, async () => {
        const subject = await factory()
        try {
          await run(subject)
        } finally {
          await subject.store.close()
          await subject.dispose()
        }
      })
    }
  })
}
