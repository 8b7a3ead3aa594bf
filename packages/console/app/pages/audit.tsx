/** Who did what. */
import type { JSX } from 'preact'
import { dateTime } from '../../src/format.ts'
import { hrefOf } from '../../src/route.ts'
import type { AuditEntry } from '../../src/types.ts'
import { Badge, PageHead } from '../ui/parts.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { useList } from '../ui/use-list.ts'
import { useTitle } from '../ui/use.ts'

const tones = { received: 'calm', done: 'good', refused: 'bad', failed: 'bad', cancelled: 'calm' } as const

const columns: readonly Column<AuditEntry>[] = [
  { label: 'When', sort: ({ at }) => at, cell: ({ at }) => <time dateTime={at}>{dateTime(at)}</time> },
  { label: 'User', sort: ({ user }) => user, cell: ({ user }) => <strong>{user}</strong> },
  {
    label: 'Did',
    sort: ({ action }) => action,
    cell: ({ action, operation }) =>
      operation === undefined ? <code>{action}</code> : <a href={hrefOf('operations', operation)}>{<code>{action}</code>}</a>,
  },
  { label: 'To', sort: ({ target }) => target, cell: ({ target }) => <code class="path">{target}</code> },
  {
    label: 'Outcome',
    sort: ({ outcome }) => outcome,
    cell: ({ outcome, detail }) => (
      <>
        <Badge tone={tones[outcome]}>{outcome}</Badge>
        {detail === undefined ? undefined : <span class="under muted">{detail}</span>}
      </>
    ),
  },
  { label: 'From', spare: 1, sort: ({ address }) => address, cell: ({ address }) => <code>{address}</code> },
]

/** The list, the newest first. */
export function Audit(): JSX.Element {
  useTitle('Audit')
  const list = useList('audit.list', { topics: ['volume', 'share', 'user', 'session', 'open'] })
  return (
    <>
      <PageHead title="Audit" about="Who did what, and what became of it; the newest first." />
      <Table
        list={list}
        columns={columns}
        keyOf={({ id }) => id}
        words={({ user, action, target, outcome, address, detail }) => [user, action, target, outcome, address, detail]}
        noun={['entry', 'entries']}
        icon="audit"
        empty={<p>Nothing has been done yet.</p>}
      />
    </>
  )
}
