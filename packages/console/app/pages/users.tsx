/** Who may log in. */
import type { JSX } from 'preact'
import type { User } from '../../src/types.ts'
import { ask, mayChange } from '../api.ts'
import { act } from '../ui/act.ts'
import { openDialog } from '../ui/dialog.tsx'
import { FormDialog, bodyOf, type Field } from '../ui/form.tsx'
import { Icon } from '../ui/icons.tsx'
import { Ago, Badge, Button, PageHead } from '../ui/parts.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { useList } from '../ui/use-list.ts'
import { useTitle } from '../ui/use.ts'

const roles = [
  ['user', 'user: uses shares and volumes'],
  ['viewer', 'viewer: may also look at this console'],
  ['admin', 'admin: may change everything'],
] as const
const role = (initial: string): Field => ({ name: 'role', label: 'Role', kind: 'select', choices: roles, initial })
const password = (label: string, help: string): Field => ({ name: 'password', label, kind: 'password', autocomplete: 'new-password', help })

const create = (): void =>
  openDialog(
    <FormDialog
      title="New user"
      submit="Create user"
      fields={[{ name: 'name', label: 'Name', placeholder: 'alice' }, password('Password', 'Volumes want 12 characters or more.'), role('user')]}
      send={values => ask('user.create', bodyOf<'user.create'>(values, ['name', 'password']))}
    />,
  )

const change = ({ name, role: now }: User): void =>
  openDialog(
    <FormDialog
      title={`Change ${name}`}
      submit="Change user"
      fields={[role(now), password('New password', 'Left empty it stays as it is. Sessions that are open go on.')]}
      send={values => ask('user.change', name, bodyOf<'user.change'>(values))}
    />,
  )

const lock = ({ name }: User): void =>
  openDialog(
    <FormDialog
      title={`Lock out ${name}`}
      submit="Lock out"
      danger
      fields={[]}
      intro={<p>Their sessions end, and they cannot log in until you let them in again. Nothing of theirs is deleted.</p>}
      send={() => ask('user.change', name, { disabled: true })}
    />,
  )

const remove = ({ name }: User): void =>
  openDialog(
    <FormDialog
      title={`Delete user ${name}`}
      submit="Delete user"
      danger
      confirm={name}
      fields={[]}
      intro={<p>Their sessions end. Files they own stay.</p>}
      send={() => ask('user.delete', name)}
    />,
  )

const Actions = ({ user }: { readonly user: User }): JSX.Element | null => {
  const { name, disabled } = user
  if (!mayChange()) return null
  if (user.origin === 'configuration')
    return (
      <span class="muted" title="The command line or the file says so, and has to be changed there">
        configured
      </span>
    )
  return (
    <>
      {disabled ? (
        <Button
          icon="done"
          label={`Let ${name} in again`}
          iconOnly
          look="quiet"
          onClick={() => act(() => ask('user.change', name, { disabled: false }))}
        />
      ) : (
        <Button icon="lock" label={`Lock out ${name}`} iconOnly look="quiet" onClick={() => lock(user)} />
      )}
      <Button icon="edit" label={`Change ${name}`} iconOnly look="quiet" onClick={() => change(user)} />
      <Button icon="trash" label={`Delete ${name}`} iconOnly look="quiet" onClick={() => remove(user)} />
    </>
  )
}

const columns: readonly Column<User>[] = [
  {
    label: 'Name',
    sort: ({ name }) => name,
    cell: ({ name, disabled }) => (
      <>
        <strong>{name}</strong>
        {disabled ? <Badge tone="warn">locked out</Badge> : undefined}
      </>
    ),
  },
  { label: 'Role', sort: user => user.role, cell: user => <Badge tone={user.role === 'admin' ? 'busy' : 'calm'}>{user.role}</Badge> },
  {
    label: 'Volumes',
    cell: ({ chapProblem }) =>
      chapProblem === undefined ? (
        'may log in'
      ) : (
        <span class="note">
          <Icon name="warning" />
          {chapProblem}
        </span>
      ),
  },
  { label: 'Created', spare: 1, sort: ({ createdAt }) => createdAt ?? '', cell: ({ createdAt }) => <Ago at={createdAt} /> },
  { label: 'Actions', actions: true, cell: user => <Actions user={user} /> },
]

/** The list, and what can be done with a user. */
export function Users(): JSX.Element {
  useTitle('Users')
  const list = useList('user.list', { topics: ['user'] })
  return (
    <>
      <PageHead title="Users" about="Who may log in: to shares, to volumes, and here.">
        {mayChange() ? <Button look="primary" icon="plus" label="New user" shortcut="n" onClick={create} /> : undefined}
      </PageHead>
      <Table
        list={list}
        columns={columns}
        keyOf={({ name }) => name}
        words={user => [user.name, user.role, user.disabled ? 'locked out' : undefined]}
        noun={['user', 'users']}
        icon="user"
        sortedBy="Name"
        empty={<p>There is no user.</p>}
      />
    </>
  )
}
