/** `holdfast volume …`: on a node, by its API; without one, on the state itself. */

import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { badValue, ConfigError, type Origin } from '../config/errors.ts'
import { volumeNameAllowed, volumeNamePattern } from '../config/names.ts'
import { exactSize, formatSize } from '../config/units.ts'
import { parseVolumeOptions, parseVolumeSize, volumeSizeAllowed } from '../config/volumes.ts'
import { StateError } from '../state/errors.ts'
import type { OpenVolumeService } from '../volumes/local-service.ts'
import { parseSnapshotName, volumeRequestOf, type VolumeWords } from '../volumes/request.ts'
import type { VolumeService } from '../volumes/service.ts'
import type { SnapshotView, VolumeView } from '../volumes/volume.ts'
import { volumeMapText } from './api/map.ts'
import { type OperateOptions, type Operator, withOperator } from './api/operate.ts'
import { tellDone, tellList } from './api/show.ts'
import { lines, table } from './api/table.ts'
import { type VolumeItem, views } from './api/views.ts'
import { CommandError, type CommandContext, writeAll, writeJson } from './context.ts'

export interface VolumeCommandOptions extends OperateOptions {
  readonly volumesDir?: string
}

/** What is done to volumes; undefined where nobody waits for the outcome. */
interface Volumes {
  list(): Promise<readonly VolumeItem[]>
  get(name: string): Promise<VolumeItem>
  create(volume: VolumeWords, image?: string): Promise<VolumeItem | undefined>
  change(name: string, change: { readonly sizeBytes?: number; readonly options?: readonly string[] }): Promise<VolumeItem | undefined>
  createSnapshot(name: string, snapshot: string): Promise<SnapshotView | undefined>
  /** Resolves to undefined as well where nobody waits. */
  deleteSnapshot(name: string, snapshot: string): Promise<null | undefined>
  delete(name: string): Promise<null | undefined>
  /** Of its pages, as lines; a node alone can tell. */
  map?(name: string): Promise<readonly string[]>
}

/** A node that starts, and another command, have the state to themselves before anybody answers: this long they are waited for. */
const patienceMs = 10_000
const lookAgainMs = 200

/** Runs `action` with whoever has the volumes: a node that runs, or this process. */
async function withVolumes<T>(context: CommandContext, options: VolumeCommandOptions, action: (volumes: Volumes) => Promise<T>): Promise<T> {
  const until = performance.now() + patienceMs
  for (;;) {
    const onNode = await orNobody(
      withOperator(context, options, operator => action(volumesOfNode(operator, context))),
      options,
    )
    if (onNode !== nobody) return onNode
    try {
      await using local = await openLocal(options)
      return await action(localVolumes(local.service, options))
    } catch (error) {
      const isInUse = error instanceof StateError && error.code === 'STATE_IN_USE'
      if (!isInUse || performance.now() > until) throw error
    }
    await setTimeout(lookAgainMs)
  }
}

const nobody = Symbol('nobody answers')

/** `nobody` where no node has been asked for anything: this process does it then. */
async function orNobody<T>(action: Promise<T>, { server }: VolumeCommandOptions): Promise<T | typeof nobody> {
  try {
    return await action
  } catch (error) {
    if (server === undefined && error instanceof CommandError && error.code === 'NO_NODE') return nobody
    throw error
  }
}

function volumesOfNode({ api, run }: Operator, { columns }: CommandContext): Volumes {
  return {
    list: async () => Array.fromAsync(api.all('volume.list')),
    get: name => api.volumes.show(name),
    create: ({ name, size, options = [], from }, image) =>
      run('volume.create', {
        name,
        options: [...options],
        ...(size !== undefined && { size }),
        ...(from !== undefined && { from }),
        ...(image !== undefined && { image }),
      }),
    change: (name, { sizeBytes, options }) =>
      run('volume.change', name, { ...(sizeBytes !== undefined && { size: sizeBytes }), ...(options && { options: [...options] }) }),
    createSnapshot: (name, snapshot) => run('snapshot.create', name, { name: snapshot }),
    deleteSnapshot: (name, snapshot) => run('snapshot.delete', name, snapshot),
    delete: name => run('volume.delete', name),
    map: async name => volumeMapText(await api.volumes.map(name), columns() - 12),
  }
}

/** Here it is done when the call returns: there is nothing to wait for. */
function localVolumes(service: VolumeService, { stateDir }: VolumeCommandOptions): Volumes {
  return {
    list: async () => (await service.list()).map(itemOf),
    get: async name => itemOf(await service.get(name)),
    async create(volume, image) {
      if (image === undefined) return itemOf(await service.create(volumeRequestOf(volume)))
      throw new CommandError(`--image needs a node that runs on the state folder ${stateDir}: start it with "holdfast serve --iscsi"`, 'NO_NODE')
    },
    async change(name, { sizeBytes, options }) {
      let volume = sizeBytes === undefined ? undefined : await service.resize(name, sizeBytes)
      if (options !== undefined) volume = await service.setAccess(name, parseVolumeOptions(options, { key: 'option' }))
      return volume && itemOf(volume)
    },
    createSnapshot: (name, snapshot) => service.createSnapshot(name, snapshot),
    deleteSnapshot: (name, snapshot) => service.deleteSnapshot(name, snapshot).then(() => null),
    delete: name => service.delete(name).then(() => null),
  }
}

/** As the API has it. */
const itemOf = (volume: VolumeView): VolumeItem => ({ ...volume, options: [...volume.options], snapshots: [...volume.snapshots] })

async function openLocal(options: VolumeCommandOptions): Promise<OpenVolumeService> {
  // A command that asks a node needs neither the store nor the volumes.
  return (await import('../volumes/local-service.ts')).openLocalVolumes(options)
}

export interface CreateVolumeOptions extends VolumeCommandOptions {
  readonly size?: string
  readonly option?: readonly string[]
  readonly from?: string
  readonly image?: string
}

/** Makes a volume, empty, with what a snapshot holds, or with a raw image. */
export async function createVolume(context: CommandContext, name: string, options: CreateVolumeOptions): Promise<void> {
  checkName(name, 'NAME')
  const { from, size, option = [], server } = options
  if (from !== undefined && parseSnapshotName(from) === undefined) throw badValue({ key: 'from' }, from, 'VOLUME@SNAPSHOT')
  if (from !== undefined && options.image !== undefined) throw new ConfigError('--from and --image exclude each other')
  parseVolumeOptions(option, { key: 'option' })
  if (size !== undefined || (from === undefined && options.image === undefined)) sizeOf(size)
  const image = options.image === undefined || server !== undefined ? options.image : resolve(context.cwd, options.image)
  const words = { name, size, options: option, from }
  const made = await withVolumes(context, options, volumes => volumes.create(words, image))
  if (made) await tellDone(context, options, made, `volume ${name} made: ${exactSize(made.sizeBytes)}, ${made.target}`)
}

/** All volumes, by name. */
export async function listVolumes(context: CommandContext, options: VolumeCommandOptions): Promise<void> {
  await tellList(context, views.volume, await withVolumes(context, options, volumes => volumes.list()), options)
}

/** All that is known of one, with a map of what it holds where a node tells. */
export async function showVolume(context: CommandContext, name: string, options: VolumeCommandOptions): Promise<void> {
  checkName(name, 'NAME')
  const { volume, map } = await withVolumes(context, options, async volumes => ({
    volume: await volumes.get(name),
    // A volume that is not served has no map.
    map: options.json ? undefined : await volumes.map?.(name).catch(() => undefined),
  }))
  if (options.json) return writeJson(context.out, volume)
  const pairs = [...views.volume.lines(volume), ...(map ?? []).map((row, index) => [index === 0 ? 'map' : '', row] as const)]
  await writeAll(context.out, `${lines(pairs, { colours: context.colours ?? false })}\n`)
}

export interface ResizeVolumeOptions extends VolumeCommandOptions {
  readonly size?: string
}

/** Makes it larger, also while it is in use. */
export async function resizeVolume(context: CommandContext, name: string, options: ResizeVolumeOptions): Promise<void> {
  checkName(name, 'NAME')
  const sizeBytes = sizeOf(options.size)
  const volume = await withVolumes(context, options, volumes => volumes.change(name, { sizeBytes }))
  if (volume) await tellDone(context, options, volume, `volume ${name} has ${exactSize(volume.sizeBytes)} now`)
}

export interface ChangeVolumeOptions extends ResizeVolumeOptions {
  /** False: none. */
  readonly option?: readonly string[] | false
}

/** Options that are for good. */
const madeWith = /^(block-size=|checksums$)/

/** Another size, or who may use it: all options that it shall have. */
export async function changeVolume(context: CommandContext, name: string, options: ChangeVolumeOptions): Promise<void> {
  checkName(name, 'NAME')
  const { size, option } = options
  if (size === undefined && option === undefined) throw new ConfigError('there is nothing to change; give --size, --option or --no-option')
  const words = option || []
  parseVolumeOptions(words, { key: 'option' })
  const made = words.find(word => madeWith.test(word))
  if (made !== undefined) throw badValue({ key: 'option' }, made, 'who may use it, and for what; this is what a volume is made with')
  const change = { ...(size !== undefined && { sizeBytes: sizeOf(size) }), ...(option !== undefined && { options: words }) }
  const volume = await withVolumes(context, options, volumes => volumes.change(name, change))
  if (volume) await tellDone(context, options, volume, `volume ${name} changed`)
}

/** With everything in it, and its snapshots. */
export async function deleteVolume(context: CommandContext, name: string, options: VolumeCommandOptions): Promise<void> {
  checkName(name, 'NAME')
  const done = await withVolumes(context, options, volumes => volumes.delete(name))
  if (done !== undefined) await tellDone(context, options, { name, outcome: 'deleted' }, `volume ${name} deleted`)
}

/** Keeps what the volume holds now. */
export async function createSnapshot(context: CommandContext, name: string, snapshot: string, options: VolumeCommandOptions): Promise<void> {
  checkName(name, 'VOLUME')
  checkName(snapshot, 'SNAPSHOT')
  const made = await withVolumes(context, options, volumes => volumes.createSnapshot(name, snapshot))
  if (made) await tellDone(context, options, made, `snapshot ${name}@${snapshot} made`)
}

/** Of one volume, the oldest first. */
export async function listSnapshots(context: CommandContext, name: string, options: VolumeCommandOptions): Promise<void> {
  checkName(name, 'VOLUME')
  const { snapshots } = await withVolumes(context, options, volumes => volumes.get(name))
  if (options.json) {
    for (const snapshot of snapshots) await writeJson(context.out, snapshot)
    return
  }
  const rows = snapshots.map(snapshot => [snapshot.name, formatSize(snapshot.sizeBytes), snapshot.createdAt])
  if (rows.length > 0) await writeAll(context.out, table([['NAME', 'SIZE', 'MADE'], ...rows]))
}

/** Gives back the space that only it uses. */
export async function deleteSnapshot(context: CommandContext, name: string, snapshot: string, options: VolumeCommandOptions): Promise<void> {
  checkName(name, 'VOLUME')
  checkName(snapshot, 'SNAPSHOT')
  const done = await withVolumes(context, options, volumes => volumes.deleteSnapshot(name, snapshot))
  if (done !== undefined) await tellDone(context, options, { name: snapshot, outcome: 'deleted' }, `snapshot ${name}@${snapshot} deleted`)
}

function checkName(name: string, argument: string): void {
  const origin: Origin = { key: argument, isOption: true }
  if (!volumeNamePattern.test(name)) throw badValue(origin, name, volumeNameAllowed)
}

function sizeOf(text: string | undefined): number {
  if (text === undefined) throw new ConfigError(`--size is missing; allowed: ${volumeSizeAllowed}`)
  const bytes = parseVolumeSize(text)
  if (bytes === undefined) throw badValue({ key: 'size' }, text, volumeSizeAllowed)
  return bytes
}
