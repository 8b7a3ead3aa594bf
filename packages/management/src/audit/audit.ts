/** Who did what, when, from where, and what became of it: appended, never changed; the oldest go. */

import type { Store } from '@holdfast/cluster'
import type { AuditEntry, AuditLog, Page } from '../core/core.ts'
import type { Ids } from '../core/ids.ts'
import type { Journal } from '../core/journal.ts'
import { keys, toJson } from '../core/keys.ts'
import { listPage } from '../core/pages.ts'
import type { Writes } from '../core/writes.ts'

/** What an entry says, before it has its id and time. */
export type NewAuditEntry = Omit<AuditEntry, 'id' | 'at'>

const detailLength = 500

/** See the top of the file. */
export class Audit implements AuditLog {
  readonly #store: Store
  readonly #journal: Journal
  readonly #ids: Ids
  readonly #now: () => string

  constructor(options: { readonly store: Store; readonly journal: Journal; readonly ids: Ids; readonly now: () => string }) {
    this.#store = options.store
    this.#journal = options.journal
    this.#ids = options.ids
    this.#now = options.now
  }

  async append(entry: NewAuditEntry): Promise<void> {
    await this.#journal.write({ impatient: true, write: writes => this.write(writes, entry) })
  }

  /** Along with the change that it is about. */
  write(writes: Writes, { detail, ...entry }: NewAuditEntry): void {
    const id = this.#ids.next()
    const whole: AuditEntry = { id, at: this.#now(), ...entry, ...(detail !== undefined && { detail: detail.slice(0, detailLength) }) }
    writes.put(keys.auditEntry(id), toJson(whole))
  }

  list({ cursor, limit }: { readonly cursor?: string | undefined; readonly limit?: number | undefined }): Promise<Page<AuditEntry>> {
    return listPage<AuditEntry, AuditEntry>(this.#store, { prefix: keys.audit, keyOf: keys.auditEntry, cursor, limit, shown: entry => entry })
  }
}
