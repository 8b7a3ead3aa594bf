/** Forms about a volume and its snapshots. */
import type { JSX } from 'preact'
import { size } from '../../src/format.ts'
import type { Snapshot, Volume } from '../../src/types.ts'
import { ask } from '../api.ts'
import { go } from '../router.ts'
import { openDialog } from '../ui/dialog.tsx'
import { FormDialog, bodyOf, type Field } from '../ui/form.tsx'

const options = (initial: readonly string[] = []): Field => ({
  name: 'options',
  label: 'Options',
  kind: 'words',
  initial,
  choices: [
    ['read-only', 'initiators cannot write'],
    ['no-auth', 'nobody needs a password'],
    ['block-size=4096', 'blocks of 4096 bytes instead of 512, for good'],
  ],
  others: 'user=alice, initiator=iqn.…',
  help: 'user= and initiator= say who alone may log in; separate them by commas.',
})
const nameField: Field = {
  name: 'name',
  label: 'Name',
  placeholder: 'disk1',
  mono: true,
  help: 'Its iSCSI name ends in it: lower-case letters, digits, dots and hyphens.',
}

const show = (form: JSX.Element): void => openDialog(form)

/** An empty one; or one that begins as a snapshot. */
export const createVolume = (from = ''): void =>
  show(
    <FormDialog
      title="New volume"
      submit="Create volume"
      fields={[
        nameField,
        {
          name: 'size',
          label: 'Size',
          placeholder: '10GiB',
          mono: true,
          help: from === '' ? 'It takes space as it is written to.' : 'As large as the snapshot if left empty.',
        },
        {
          name: 'from',
          label: 'From a snapshot',
          placeholder: 'disk0@monday',
          mono: true,
          initial: from,
          help: 'Begins as that; may be left empty.',
        },
        {
          name: 'image',
          label: 'From an image',
          placeholder: '/srv/images/debian.raw',
          mono: true,
          help: 'Absolute path, on the node, of a raw image; may be left empty.',
        },
        options(),
      ]}
      send={values => ask('volume.create', bodyOf<'volume.create'>(values, ['name']))}
    />,
  )

/** Volumes only grow. */
export const growVolume = ({ name, sizeBytes }: Volume): void =>
  show(
    <FormDialog
      title={`Grow volume ${name}`}
      submit="Grow volume"
      intro={<p>It has {size(sizeBytes)} now. Initiators see the new size at once; a volume cannot be made smaller.</p>}
      fields={[{ name: 'size', label: 'New size', placeholder: '20GiB', mono: true }]}
      send={values => ask('volume.change', name, bodyOf<'volume.change'>(values, 'all'))}
    />,
  )

/** Who may use it, and how. */
export const changeVolume = ({ name, options: words }: Volume): void =>
  show(
    <FormDialog
      title={`Change volume ${name}`}
      submit="Change volume"
      fields={[options(words)]}
      send={values => ask('volume.change', name, bodyOf<'volume.change'>(values, 'all'))}
    />,
  )

/** With all that is in it. */
export const deleteVolume = ({ name, snapshots }: Volume): void =>
  show(
    <FormDialog
      title={`Delete volume ${name}`}
      submit="Delete volume"
      danger
      confirm={name}
      fields={[]}
      intro={
        <p>
          Its bytes{snapshots.length === 0 ? '' : ` and its ${snapshots.length === 1 ? 'snapshot' : `${snapshots.length} snapshots`}`} are deleted.
          Initiators that use it lose it at once.
        </p>
      }
      send={() => ask('volume.delete', name)}
      onDone={() => go('volumes')}
    />,
  )

/** As it is now. */
export const createSnapshot = ({ name }: Volume): void =>
  show(
    <FormDialog
      title={`New snapshot of ${name}`}
      submit="Create snapshot"
      fields={[{ ...nameField, placeholder: 'before-the-upgrade' }]}
      intro={<p>Keeps the volume as it is now. New volumes can begin as it.</p>}
      send={values => ask('snapshot.create', name, bodyOf<'snapshot.create'>(values, 'all'))}
    />,
  )

/** The volume stays as it is. */
export const deleteSnapshot = ({ name }: Volume, snapshot: Snapshot): void =>
  show(
    <FormDialog
      title={`Delete snapshot ${snapshot.name}`}
      submit="Delete snapshot"
      danger
      confirm={snapshot.name}
      fields={[]}
      intro={<p>What {name} was like then is forgotten. The volume stays as it is now, and so do volumes that began as the snapshot.</p>}
      send={() => ask('snapshot.delete', name, snapshot.name)}
    />,
  )
