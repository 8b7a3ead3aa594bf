/** A list of the API: read at once, again when an operation that touches it has ended, and now and then. */
import type { ResultOf } from '@holdfast/api-client'
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { Trouble } from '../../src/types.ts'
import { ask, troubleOf } from '../api.ts'
import { touched } from '../live.ts'
import { useSignal } from './use.ts'

/** Routes whose answers are pages of a list. */
export type ListId = 'volume.list' | 'share.list' | 'user.list' | 'session.list' | 'open.list' | 'operation.list' | 'audit.list'
/** What a list is of. */
export type RowOf<Id extends ListId> = ResultOf<Id> extends { readonly items: readonly (infer Row)[] } ? Row : never

/** What a table needs to know. */
export interface List<Row> {
  /** Undefined until they are known. */
  readonly rows: readonly Row[] | undefined
  readonly problem: Trouble | undefined
  /** There are more than `rows`. */
  readonly hasMore: boolean
  more(): void
  reload(): void
}

interface Asked {
  readonly query?: Readonly<Record<string, string | undefined>>
  /** Kinds of operations that touch it. */
  readonly topics: readonly string[]
  readonly everyMs?: number
}
const pageSize = 200
const stepRows = 400

async function read<Id extends ListId>(id: Id, asked: Asked, wanted: number): Promise<{ rows: RowOf<Id>[]; hasMore: boolean }> {
  const rows: RowOf<Id>[] = []
  let cursor: string | undefined
  do {
    const query = { ...asked.query, limit: pageSize, ...(cursor === undefined ? {} : { cursor }) }
    const page: { readonly items: readonly unknown[]; readonly next: string | null } = await ask<ListId>(id, query)
    rows.push(...(page.items as RowOf<Id>[])) // of the list that was asked for
    cursor = page.next ?? undefined
  } while (cursor !== undefined && rows.length < wanted)
  return { rows, hasMore: cursor !== undefined }
}

/** @see List */
export function useList<Id extends ListId>(id: Id, asked: Asked): List<RowOf<Id>> {
  const [state, setState] = useState<{ rows: RowOf<Id>[] | undefined; hasMore: boolean; problem: Trouble | undefined }>({
    rows: undefined,
    hasMore: false,
    problem: undefined,
  })
  const [wanted, setWanted] = useState(pageSize)
  const latest = useRef(0)
  const all = useSignal(touched)
  const touches = asked.topics.map(topic => all[topic] ?? 0).join()
  const what = JSON.stringify([id, asked.query])
  const reload = useCallback(() => {
    const turn = ++latest.current
    read(id, asked, wanted).then(
      ({ rows, hasMore }) => {
        if (turn === latest.current) setState({ rows, hasMore, problem: undefined })
      },
      (error: unknown) => {
        if (turn === latest.current) setState(before => ({ ...before, problem: troubleOf(error) }))
      },
    )
  }, [what, wanted])
  useEffect(() => setState({ rows: undefined, hasMore: false, problem: undefined }), [what])
  useEffect(reload, [reload, touches])
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') reload()
    }, asked.everyMs ?? 10_000)
    return () => clearInterval(timer)
  }, [reload, asked.everyMs])
  return { ...state, reload, more: () => setWanted(before => before + stepRows) }
}
