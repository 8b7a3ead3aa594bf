/** Files that are open over SMB. */
import type { JSX } from 'preact'
import { count } from '../../src/format.ts'
import type { OpenFile } from '../../src/types.ts'
import { ask, mayChange } from '../api.ts'
import { openDialog } from '../ui/dialog.tsx'
import { FormDialog } from '../ui/form.tsx'
import { Ago, Badge, Button, PageHead } from '../ui/parts.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { useList } from '../ui/use-list.ts'
import { useTitle } from '../ui/use.ts'
import type { PageProps } from './index.tsx'

const pathOf = ({ share, path }: OpenFile): string => `${share}/${path}`

const close = (open: OpenFile): void =>
  openDialog(
    <FormDialog
      title="Close the file"
      submit="Close the file"
      danger
      fields={[]}
      intro={
        <p>
          <code>{pathOf(open)}</code> is closed whatever its client does. What {open.user} has not saved is lost.
        </p>
      }
      send={() => ask('open.close', open.id)}
    />,
  )

const columns: readonly Column<OpenFile>[] = [
  {
    label: 'File',
    sort: pathOf,
    cell: open => (
      <>
        <span class="path">
          <span class="muted">{open.share}/</span>
          {open.path}
        </span>
        {open.waiting ? <Badge tone="warn">waits for its client</Badge> : undefined}
        {open.deleteOnClose ? <Badge tone="calm">deleted on close</Badge> : undefined}
      </>
    ),
  },
  { label: 'User', sort: ({ user }) => user, cell: ({ user }) => user },
  {
    label: 'Access',
    sort: ({ access }) => access,
    cell: ({ access, shareAccess }) => (
      <>
        {access === '' ? '–' : access}
        <span class="under muted">others {shareAccess === '' ? 'nothing' : shareAccess}</span>
      </>
    ),
  },
  { label: 'Caching', spare: 1, sort: ({ caching }) => caching ?? '', cell: ({ caching }) => caching ?? '–' },
  { label: 'Durability', spare: 1, sort: ({ durability }) => durability, cell: ({ durability }) => (durability === 'none' ? '–' : durability) },
  { label: 'Locks', numeric: true, spare: 1, sort: ({ locks }) => locks, cell: ({ locks }) => count(locks) },
  { label: 'Since', spare: 2, sort: ({ since }) => since ?? '', cell: ({ since }) => <Ago at={since} /> },
  {
    label: 'Actions',
    actions: true,
    cell: open =>
      mayChange() ? <Button icon="close" label="Close" name={`Close ${pathOf(open)}`} look="quiet" onClick={() => close(open)} /> : undefined,
  },
]

/** The list; `?share=`, `?user=` and `?session=` narrow it. */
export function Opens({ query }: PageProps): JSX.Element {
  useTitle('Open files')
  const { share, user, session } = query
  const list = useList('open.list', { topics: ['open', 'session'], everyMs: 3000, query: { share, user, session } })
  const narrowed = [
    share === undefined ? '' : `share ${share}`,
    user === undefined ? '' : `user ${user}`,
    session === undefined ? '' : `session ${session}`,
  ]
  const only = narrowed.filter(word => word !== '').join(', ')
  return (
    <>
      <PageHead
        title="Open files"
        about={
          only === '' ? (
            'What clients have open over SMB.'
          ) : (
            <>
              Only of {only}. <a href="#/opens">Show all</a>
            </>
          )
        }
      />
      <Table
        list={list}
        columns={columns}
        keyOf={({ id }) => id}
        words={open => [open.share, open.path, open.user, open.access, open.caching, open.durability]}
        noun={['open file', 'open files']}
        icon="open"
        sortedBy="File"
        empty={<p>No file is open.</p>}
      />
    </>
  )
}
