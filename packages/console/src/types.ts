/** What the API's answers look like, by the names that the pages use. */

import type { Asked, OperationKind, ResultOf, schemas } from '@holdfast/management/api'

export type { Asked, OperationKind }
type Item<Page extends { readonly items: readonly unknown[] }> = Page['items'][number]
type Parsed<Schema extends { parse(value: unknown): unknown }> = ReturnType<Schema['parse']>

export type OwnSession = ResultOf<'session.own'>
export type Operation = Item<ResultOf<'operation.list'>>
export type OperationEvent = Parsed<typeof schemas.OperationEvent>
/** What went wrong: a problem of the API (RFC 9457), or that nobody answers. */
export interface Trouble {
  readonly code: string
  readonly status: number
  readonly detail: string
  readonly title?: string | undefined
  readonly errors?: readonly { readonly field: string; readonly message: string }[] | undefined
}
export type Volume = Item<ResultOf<'volume.list'>>
export type VolumeMap = ResultOf<'volume.map'>
export type Snapshot = Item<ResultOf<'snapshot.list'>>
export type Share = Item<ResultOf<'share.list'>>
export type User = Item<ResultOf<'user.list'>>
export type ClientSession = Item<ResultOf<'session.list'>>
export type OpenFile = Item<ResultOf<'open.list'>>
export type AuditEntry = Item<ResultOf<'audit.list'>>
export type Overview = ResultOf<'overview'>
export type NodeView = ResultOf<'node'>
