/** Sessions of SMB and iSCSI clients. */
import type { JSX } from 'preact'
import { count, size } from '../../src/format.ts'
import { hrefOf } from '../../src/route.ts'
import type { ClientSession } from '../../src/types.ts'
import { ask, mayChange } from '../api.ts'
import { openDialog } from '../ui/dialog.tsx'
import { FormDialog } from '../ui/form.tsx'
import { Icon } from '../ui/icons.tsx'
import { Ago, Button, PageHead, Words } from '../ui/parts.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { useList } from '../ui/use-list.ts'
import { useTitle } from '../ui/use.ts'

const nameOf = ({ user }: ClientSession): string => (user === '' ? 'nobody in particular' : user)
const protocols = { smb: 'SMB', iscsi: 'iSCSI' } as const

const disconnect = (session: ClientSession): void =>
  openDialog(
    <FormDialog
      title={`Disconnect ${nameOf(session)}`}
      submit="Disconnect"
      danger
      fields={[]}
      intro={
        <p>
          The session from {session.client.address} ends, with {session.opens === 1 ? 'one open file' : `${count(session.opens)} open files`}; durable
          ones wait for their client. A client may connect again: lock its user out to keep it away.
        </p>
      }
      send={() => ask('session.disconnect', session.id)}
    />,
  )

const protection = ({ encryption, signing }: ClientSession): string =>
  encryption ? 'encrypted' : signing ? 'signed' : 'neither signed nor encrypted'

const columns: readonly Column<ClientSession>[] = [
  {
    label: 'User',
    sort: nameOf,
    cell: session => <strong>{nameOf(session)}</strong>,
  },
  {
    label: 'Client',
    sort: ({ client }) => client.address,
    cell: ({ client }) => (
      <>
        <code>
          {client.address}:{client.port}
        </code>
        {client.name === undefined ? undefined : <span class="under muted">{client.name}</span>}
      </>
    ),
  },
  {
    label: 'Protocol',
    sort: ({ protocol, dialect }) => `${protocol} ${dialect}`,
    cell: session => (
      <>
        <span class="one-line">
          {protocols[session.protocol]} {session.dialect}
        </span>
        <span class="under muted one-line">
          {session.encryption ? <Icon name="lock" /> : undefined} {protection(session)}
        </span>
      </>
    ),
  },
  { label: 'Uses', cell: ({ uses }) => <Words words={uses} /> },
  { label: 'Connections', numeric: true, spare: 2, sort: ({ connections }) => connections, cell: ({ connections }) => count(connections) },
  {
    label: 'Open files',
    numeric: true,
    sort: ({ opens }) => opens,
    cell: ({ id, opens }) => (opens === 0 ? '0' : <a href={hrefOf('opens', undefined, { session: id })}>{count(opens)}</a>),
  },
  {
    label: 'Traffic',
    numeric: true,
    spare: 1,
    sort: ({ bytesRead = 0, bytesWritten = 0 }) => bytesRead + bytesWritten,
    cell: ({ bytesRead, bytesWritten }) =>
      bytesRead === undefined && bytesWritten === undefined ? (
        '–'
      ) : (
        <>
          {size(bytesRead ?? 0)} read
          <span class="under muted">{size(bytesWritten ?? 0)} written</span>
        </>
      ),
  },
  { label: 'Since', spare: 1, sort: ({ since }) => since, cell: ({ since }) => <Ago at={since} /> },
  {
    label: 'Actions',
    actions: true,
    cell: session =>
      mayChange() ? (
        <Button icon="stop" label="Disconnect" name={`Disconnect ${nameOf(session)}`} look="quiet" onClick={() => disconnect(session)} />
      ) : undefined,
  },
]

/** The list, and the way to end one. */
export function Sessions(): JSX.Element {
  useTitle('Sessions')
  const list = useList('session.list', { topics: ['session', 'user'], everyMs: 3000 })
  return (
    <>
      <PageHead title="Sessions" about="Clients of the storage that are logged in now." />
      <Table
        list={list}
        columns={columns}
        keyOf={({ id }) => id}
        words={({ user, client, protocol, dialect, uses }) => [user, client.address, client.name, protocol, dialect, ...uses]}
        noun={['session', 'sessions']}
        icon="session"
        sortedBy="User"
        empty={<p>Nobody is logged in to a share or a volume.</p>}
      />
    </>
  )
}
