/** SMB shares. */
import type { JSX } from 'preact'
import { count } from '../../src/format.ts'
import { hrefOf } from '../../src/route.ts'
import type { Share } from '../../src/types.ts'
import { ask, mayChange } from '../api.ts'
import { openDialog } from '../ui/dialog.tsx'
import { FormDialog, bodyOf, type Field } from '../ui/form.tsx'
import { Badge, Button, PageHead, Words } from '../ui/parts.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { useList } from '../ui/use-list.ts'
import { useTitle } from '../ui/use.ts'

const options = [
  ['read-only', 'nobody can change anything'],
  ['encrypt', 'clients that cannot encrypt are refused'],
  ['continuous-availability', 'open files outlive a restart of the server'],
  ['access-based-enumeration', 'folders list only what the user may read'],
  ['immediate-write-times', 'an open sees the time of its writes at once'],
  ['public', 'whoever reaches it over HTTP may read it without a name'],
  ['active-content', 'over HTTP its pages may run scripts'],
] as const

const fields = (share?: Share): readonly Field[] => [
  ...(share === undefined ? [{ name: 'name', label: 'Name', placeholder: 'docs', help: 'What clients mount.' } as const] : []),
  { name: 'path', label: 'Folder', placeholder: '/srv/docs', mono: true, initial: share?.path ?? '', help: 'Absolute path on the node.' },
  { name: 'comment', label: 'Comment', initial: share?.comment ?? '', help: 'Clients that browse the node see it.' },
  { name: 'options', label: 'Options', kind: 'words', choices: options, initial: share?.options ?? [] },
]

const create = (): void =>
  openDialog(
    <FormDialog
      title="New share"
      submit="Create share"
      fields={fields()}
      send={values => ask('share.create', bodyOf<'share.create'>(values, ['name', 'path']))}
    />,
  )

const change = (share: Share): void =>
  openDialog(
    <FormDialog
      title={`Change share ${share.name}`}
      submit="Change share"
      fields={fields(share)}
      intro={<p>Another folder, or continuous availability given or taken, ends what is connected; clients connect again by themselves.</p>}
      send={values => ask('share.change', share.name, bodyOf<'share.change'>(values, 'all'))}
    />,
  )

const remove = ({ name }: Share): void =>
  openDialog(
    <FormDialog
      title={`Delete share ${name}`}
      submit="Delete share"
      danger
      confirm={name}
      fields={[]}
      intro={<p>Clients lose what they have open on it. The folder and its files stay.</p>}
      send={() => ask('share.delete', name)}
    />,
  )

const Actions = ({ share }: { readonly share: Share }): JSX.Element | null => {
  if (!mayChange()) return null
  if (share.origin === 'configuration')
    return (
      <span class="muted" title="The command line or the file says so, and has to be changed there">
        configured
      </span>
    )
  return (
    <>
      <Button icon="edit" label={`Change ${share.name}`} iconOnly look="quiet" onClick={() => change(share)} />
      <Button icon="trash" label={`Delete ${share.name}`} iconOnly look="quiet" onClick={() => remove(share)} />
    </>
  )
}

const columns: readonly Column<Share>[] = [
  {
    label: 'Name',
    sort: ({ name }) => name,
    cell: ({ name, comment, problem }) => (
      <>
        <strong>{name}</strong>
        {problem === undefined ? undefined : <Badge tone="bad">{problem}</Badge>}
        {comment === undefined || comment === '' ? undefined : <span class="under muted">{comment}</span>}
      </>
    ),
  },
  { label: 'Folder', sort: ({ path }) => path, cell: ({ path }) => <code>{path}</code> },
  { label: 'Options', spare: 1, cell: share => <Words words={share.options} /> },
  {
    label: 'Sessions',
    numeric: true,
    sort: ({ sessions }) => sessions ?? 0,
    cell: ({ sessions }) => (sessions === undefined ? '–' : count(sessions)),
  },
  {
    label: 'Open files',
    numeric: true,
    sort: ({ opens }) => opens ?? 0,
    cell: ({ name, opens }) =>
      opens === undefined || opens === 0 ? (opens ?? '–') : <a href={hrefOf('opens', undefined, { share: name })}>{count(opens)}</a>,
  },
  { label: 'Actions', actions: true, cell: share => <Actions share={share} /> },
]

/** The list, and what can be done with a share. */
export function Shares(): JSX.Element {
  useTitle('Shares')
  const list = useList('share.list', { topics: ['share'] })
  return (
    <>
      <PageHead title="Shares" about="Folders served over SMB.">
        {mayChange() ? <Button look="primary" icon="plus" label="New share" shortcut="n" onClick={create} /> : undefined}
      </PageHead>
      <Table
        list={list}
        columns={columns}
        keyOf={({ name }) => name}
        words={({ name, path, comment, options: words }) => [name, path, comment, ...words]}
        noun={['share', 'shares']}
        icon="share"
        sortedBy="Name"
        empty={<p>No folder is shared yet.</p>}
      />
    </>
  )
}
