/** One volume. */
import type { JSX } from 'preact'
import { dateTime, percent, size } from '../../src/format.ts'
import { hrefOf } from '../../src/route.ts'
import type { ClientSession, Snapshot, Volume } from '../../src/types.ts'
import { ask, mayChange } from '../api.ts'
import { Ago, Button, Copy, Empty, Facts, Meter, PageHead, ProblemBox, Words } from '../ui/parts.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { useItem } from '../ui/use-item.ts'
import { useList } from '../ui/use-list.ts'
import { useTitle } from '../ui/use.ts'
import { changeVolume, createSnapshot, createVolume, deleteSnapshot, deleteVolume, growVolume } from './volume-forms.tsx'
import { MapCard, MapUnknown } from './volume-map.tsx'

/** All about it. */
export function VolumeDetail({ name }: { readonly name: string }): JSX.Element {
  useTitle(`Volume ${name}`)
  const { value: volume, problem } = useItem(name, ['volume'], () => ask('volume.show', name))
  const { value: map } = useItem(`${name} map`, ['volume'], () => ask('volume.map', name), 5000)
  const title = (
    <>
      <a class="crumb" href="#/volumes">
        Volumes
      </a>
      {name}
    </>
  )
  if (problem?.status === 404) {
    return (
      <>
        <PageHead title={title} />
        <Empty icon="volume">
          <p>There is no such volume any more.</p>
          <a href="#/volumes">All volumes</a>
        </Empty>
      </>
    )
  }
  return (
    <>
      <PageHead title={title}>{volume !== undefined && mayChange() ? <Actions volume={volume} /> : undefined}</PageHead>
      {problem === undefined ? undefined : <ProblemBox problem={problem} />}
      {volume === undefined ? (
        <p class="loading">Reading…</p>
      ) : (
        <>
          {volume.problem === undefined ? undefined : (
            <ProblemBox problem={{ status: 503, detail: `The volume is not served: ${volume.problem}`, code: 'NOT_SERVED' }} />
          )}
          <div class="columns">
            <About volume={volume} />
            <Who volume={volume} />
          </div>
          {map === undefined ? <MapUnknown /> : <MapCard map={map} />}
          <Snapshots volume={volume} />
        </>
      )}
    </>
  )
}

const Actions = ({ volume }: { readonly volume: Volume }): JSX.Element => (
  <>
    <Button look="primary" icon="snapshot" label="Snapshot" shortcut="n" onClick={() => createSnapshot(volume)} />
    <Button icon="grow" label="Grow" onClick={() => growVolume(volume)} />
    <Button icon="edit" label="Options" onClick={() => changeVolume(volume)} />
    <Button icon="trash" label="Delete" onClick={() => deleteVolume(volume)} />
  </>
)

const About = ({ volume: { sizeBytes, usedBytes, target, options, createdAt } }: { readonly volume: Volume }): JSX.Element => (
  <section class="card">
    <header>
      <h2>Disk</h2>
    </header>
    <Facts
      facts={[
        ['Size', size(sizeBytes)],
        [
          'Used',
          usedBytes === undefined ? (
            '–'
          ) : (
            <span class="used">
              <span>
                {size(usedBytes)} <span class="muted">{percent(usedBytes / sizeBytes)}</span>
              </span>
              <Meter share={usedBytes / sizeBytes} label="Used" />
            </span>
          ),
        ],
        ['Target', <Copy key="target" text={target} />],
        ['Options', <Words key="options" words={options} />],
        ['Created', dateTime(createdAt)],
      ]}
    />
  </section>
)

function Who({ volume: { name } }: { readonly volume: Volume }): JSX.Element {
  const { rows } = useList('session.list', { topics: ['session', 'volume'], everyMs: 5000 })
  const own = rows?.filter(({ protocol, uses }) => protocol === 'iscsi' && uses.includes(name))
  const line = ({ id, user, client, since }: ClientSession): JSX.Element => (
    <li key={id}>
      <span class="grows">
        <a href={hrefOf('sessions')}>{user === '' ? 'nobody in particular' : user}</a> <span class="muted">{client.name ?? client.address}</span>
      </span>
      <span class="muted">
        <Ago at={since} />
      </span>
    </li>
  )
  return (
    <section class="card">
      <header>
        <h2>Used by</h2>
      </header>
      {own === undefined || own.length === 0 ? (
        <p class="muted">{own === undefined ? 'Reading…' : 'Nobody now.'}</p>
      ) : (
        <ul class="lines">{own.map(line)}</ul>
      )}
    </section>
  )
}

const snapshotColumns = (volume: Volume): readonly Column<Snapshot>[] => [
  { label: 'Name', sort: ({ name }) => name, cell: ({ name }) => <strong>{name}</strong> },
  { label: 'Size', numeric: true, sort: ({ sizeBytes }) => sizeBytes, cell: ({ sizeBytes }) => size(sizeBytes) },
  { label: 'Taken', sort: ({ createdAt }) => createdAt, cell: ({ createdAt }) => <Ago at={createdAt} /> },
  {
    label: 'Actions',
    actions: true,
    cell: snapshot =>
      mayChange() ? (
        <>
          <Button
            icon="volume"
            label={`New volume from ${snapshot.name}`}
            iconOnly
            look="quiet"
            onClick={() => createVolume(`${volume.name}@${snapshot.name}`)}
          />
          <Button icon="trash" label={`Delete ${snapshot.name}`} iconOnly look="quiet" onClick={() => deleteSnapshot(volume, snapshot)} />
        </>
      ) : undefined,
  },
]

const Snapshots = ({ volume }: { readonly volume: Volume }): JSX.Element => (
  <section class="card wide">
    <header>
      <h2>Snapshots</h2>
    </header>
    <Table
      compact
      list={{ rows: volume.snapshots, problem: undefined, hasMore: false, more: () => undefined, reload: () => undefined }}
      columns={snapshotColumns(volume)}
      keyOf={({ name }) => name}
      words={({ name }) => [name]}
      noun={['snapshot', 'snapshots']}
      icon="snapshot"
      empty={<p>None yet. A snapshot keeps the volume as it is at that moment.</p>}
    />
  </section>
)
