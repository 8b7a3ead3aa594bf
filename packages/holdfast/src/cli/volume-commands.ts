/** `holdfast volume`: words. */

import type { Command } from 'commander'
import type { CommandContext } from '../commands/context.ts'
import { volumeOptionsAllowed } from '../config/volumes.ts'
import { addNodeOptions, collected, examples, nodeOptionsOf, type Values, volumeWords } from './words.ts'

/** Adds them. */
export function addVolumeCommands(program: Command, context: CommandContext): void {
  const volume = program.command('volume').description('block volumes for iSCSI; works while a node runs, and without one')
  const load = () => import('../commands/volume-commands.ts')
  const optionsOf = (values: Values) => nodeOptionsOf(values, context)
  const command = (parent: Command, name: string, description: string, ...lines: readonly string[]): Command =>
    // `volume snapshot VOLUME SNAPSHOT` makes one.
    addNodeOptions(parent.command(name, { isDefault: parent !== volume && name === 'create' }).description(description), volumeWords).addHelpText(
      'after',
      examples(...lines),
    )
  const operation = (...words: Parameters<typeof command>): Command =>
    command(...words).option('--no-wait', 'end with the receipt; the operation goes on (on a node)')

  operation(
    volume,
    'create',
    'make a volume',
    'holdfast volume create disk1 --size 10GiB',
    'holdfast volume create disk1 --size 10GiB --option user=alice --option initiator=iqn.1993-08.org.debian:01:abcdef',
    'holdfast volume create disk1-copy --from disk1@before-upgrade',
    'holdfast volume create debian --image debian-13.raw --size 20GiB',
  )
    .argument('<name>', 'lower-case letters, digits, dots and hyphens')
    .option('--size <size>', 'such as 10GiB; space is taken as it is written')
    .option('--option <option>', `one of ${volumeOptionsAllowed} (repeatable)`, collected)
    .option('--from <volume@snapshot>', 'begin with what a snapshot holds, and with its size')
    .option('--image <file>', 'begin with a raw image that the node can read, and with its size')
    .action(async (name: string, values: Values) => (await load()).createVolume(context, name, optionsOf(values)))
  command(volume, 'list', 'list the volumes', 'holdfast volume list', 'holdfast volume list --json --state /var/lib/holdfast').action(
    async (values: Values) => (await load()).listVolumes(context, optionsOf(values)),
  )
  command(volume, 'show', 'show a volume with its snapshots, and which of its pages have content', 'holdfast volume show disk1')
    .argument('<name>', 'a volume')
    .action(async (name: string, values: Values) => (await load()).showVolume(context, name, optionsOf(values)))
  operation(volume, 'resize', 'make a volume larger, also while it is in use', 'holdfast volume resize disk1 --size 20GiB')
    .argument('<name>', 'a volume')
    .requiredOption('--size <size>', 'the new size; a volume cannot shrink')
    .action(async (name: string, values: Values) => (await load()).resizeVolume(context, name, optionsOf(values)))
  operation(
    volume,
    'change',
    'change who may use a volume, or its size',
    'holdfast volume change disk1 --option user=alice --option read-only',
    'holdfast volume change disk1 --no-option --size 20GiB',
  )
    .argument('<name>', 'a volume')
    .option('--size <size>', 'the new size; a volume cannot shrink')
    .option('--option <option>', `all options it shall have: ${volumeOptionsAllowed} (repeatable)`, collected)
    .option('--no-option', 'without options')
    .action(async (name: string, values: Values) => (await load()).changeVolume(context, name, optionsOf(values)))
  operation(volume, 'delete', 'delete a volume, with all that is in it and its snapshots', 'holdfast volume delete disk1')
    .argument('<name>', 'a volume')
    .action(async (name: string, values: Values) => (await load()).deleteVolume(context, name, optionsOf(values)))

  const snapshot = volume.command('snapshot').description('keep what a volume holds at a moment')
  const both = (parent: Command): Command => parent.argument('<volume>', 'a volume').argument('<snapshot>', 'of the volume')
  both(operation(snapshot, 'create', 'make a snapshot, also while the volume is in use', 'holdfast volume snapshot disk1 before-upgrade')).action(
    async (name: string, snapshotName: string, values: Values) => (await load()).createSnapshot(context, name, snapshotName, optionsOf(values)),
  )
  command(snapshot, 'list', 'list the snapshots of a volume', 'holdfast volume snapshot list disk1')
    .argument('<volume>', 'a volume')
    .action(async (name: string, values: Values) => (await load()).listSnapshots(context, name, optionsOf(values)))
  both(operation(snapshot, 'delete', 'delete a snapshot', 'holdfast volume snapshot delete disk1 before-upgrade')).action(
    async (name: string, snapshotName: string, values: Values) => (await load()).deleteSnapshot(context, name, snapshotName, optionsOf(values)),
  )
}
