/** Block volumes: the list, or one of them. */
import type { JSX } from 'preact'
import { count, percent, size } from '../../src/format.ts'
import { hrefOf } from '../../src/route.ts'
import type { Volume } from '../../src/types.ts'
import { mayChange } from '../api.ts'
import { Ago, Badge, Button, Meter, PageHead, Words } from '../ui/parts.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { useList } from '../ui/use-list.ts'
import { useTitle } from '../ui/use.ts'
import type { PageProps } from './index.tsx'
import { createVolume } from './volume-forms.tsx'
import { VolumeDetail } from './volume.tsx'

const columns: readonly Column<Volume>[] = [
  {
    label: 'Name',
    sort: ({ name }) => name,
    cell: ({ name, problem }) => (
      <>
        <a class="strong" href={hrefOf('volumes', name)}>
          {name}
        </a>
        {problem === undefined ? undefined : <Badge tone="bad">{problem}</Badge>}
      </>
    ),
  },
  { label: 'Size', numeric: true, sort: ({ sizeBytes }) => sizeBytes, cell: ({ sizeBytes }) => size(sizeBytes) },
  {
    label: 'Used',
    sort: ({ usedBytes }) => usedBytes ?? 0,
    cell: ({ name, usedBytes, sizeBytes }) =>
      usedBytes === undefined ? (
        '–'
      ) : (
        <span class="used">
          <Meter share={usedBytes / sizeBytes} label={`Used of ${name}`} />
          <span>{size(usedBytes)}</span>
          <span class="muted">{percent(usedBytes / sizeBytes)}</span>
        </span>
      ),
  },
  { label: 'Snapshots', numeric: true, sort: ({ snapshots }) => snapshots.length, cell: ({ snapshots }) => count(snapshots.length) },
  { label: 'Options', spare: 1, cell: volume => <Words words={volume.options} /> },
  { label: 'Created', spare: 2, sort: ({ createdAt }) => createdAt, cell: ({ createdAt }) => <Ago at={createdAt} /> },
]

/** The list; with a name, that volume. */
export function Volumes({ argument }: PageProps): JSX.Element {
  return argument === undefined ? <VolumeList /> : <VolumeDetail name={argument} />
}

function VolumeList(): JSX.Element {
  useTitle('Volumes')
  const list = useList('volume.list', { topics: ['volume'] })
  return (
    <>
      <PageHead title="Volumes" about="Thin disks served over iSCSI.">
        {mayChange() ? <Button look="primary" icon="plus" label="New volume" shortcut="n" onClick={() => createVolume()} /> : undefined}
      </PageHead>
      <Table
        list={list}
        columns={columns}
        keyOf={({ id }) => id}
        words={({ name, target, options }) => [name, target, ...options]}
        noun={['volume', 'volumes']}
        icon="volume"
        sortedBy="Name"
        empty={<p>There is no volume yet.</p>}
      />
    </>
  )
}
