/** Where the bytes of a state's volumes lie. It is kept in the state, so that commands need not be told. */

import { join } from 'node:path'
import type { Store } from '@holdfast/cluster'

const key = 'volumes-folder'

/** The folder that is given, which is kept, or the one that was kept, or `volumes` in the state. */
export async function volumesFolder(store: Pick<Store, 'txn' | 'range'>, stateDir: string, given: string | undefined): Promise<string> {
  const { entries } = await store.range({ key })
  const kept = entries.length === 0 ? undefined : Buffer.from(entries[0].value).toString()
  const folder = given ?? kept ?? join(stateDir, 'volumes')
  // The default moves with the state.
  if (given !== undefined && given !== kept) await store.txn({ success: [{ type: 'put', key, value: Buffer.from(given) }] })
  return folder
}
