/** `holdfast volume create|list|show|resize|snapshot|delete`: on the node that runs on a state, or on the state itself. */

import { setTimeout } from 'node:timers/promises'
import { badValue, ConfigError, type Origin } from '../config/errors.ts'
import { volumeNameAllowed, volumeNamePattern } from '../config/names.ts'
import { exactSize, formatSize } from '../config/units.ts'
import { parseVolumeOptions, parseVolumeSize, volumeSizeAllowed } from '../config/volumes.ts'
import { controlSocketAnswers, controlVolumeService } from '../control/control-client.ts'
import { parseSnapshotName } from '../control/volume-routes.ts'
import { controlSocketOf } from '../node/control-socket.ts'
import { StateError } from '../state/errors.ts'
import type { OpenVolumeService } from '../volumes/local-service.ts'
import type { VolumeService } from '../volumes/service.ts'
import type { SnapshotView, VolumeView } from '../volumes/volume.ts'
import { type CommandContext, printable, writeAll, writeJson } from './context.ts'

export interface VolumeCommandOptions {
  readonly stateDir: string
  readonly volumesDir?: string
  readonly json?: boolean
}

/** A node that starts, and another command, have the state to themselves before anybody answers: this long they are waited for. */
const patienceMs = 10_000
const lookAgainMs = 200

/** Runs `action` with whoever has the volumes: a node that runs, or this process. */
async function withVolumes<T>(options: VolumeCommandOptions, action: (service: VolumeService) => Promise<T>): Promise<T> {
  const socket = controlSocketOf(options.stateDir)
  const until = performance.now() + patienceMs
  for (;;) {
    if (await controlSocketAnswers(socket)) return action(controlVolumeService(socket))
    try {
      await using local = await openLocal(options)
      return await action(local.service)
    } catch (error) {
      const isInUse = error instanceof StateError && error.code === 'STATE_IN_USE'
      if (!isInUse || performance.now() > until) throw error
    }
    await setTimeout(lookAgainMs)
  }
}

async function openLocal(options: VolumeCommandOptions): Promise<OpenVolumeService> {
  // A command that asks a node needs neither the store nor the volumes.
  return (await import('../volumes/local-service.ts')).openLocalVolumes(options)
}

export interface CreateVolumeOptions extends VolumeCommandOptions {
  readonly size?: string
  readonly option?: readonly string[]
  readonly from?: string
}

/** Makes a volume, empty or with what a snapshot holds. */
export async function createVolume(context: CommandContext, name: string, options: CreateVolumeOptions): Promise<void> {
  checkName(name, 'NAME')
  const from = options.from === undefined ? undefined : parseSnapshotName(options.from)
  if (options.from !== undefined && from === undefined) throw badValue({ key: 'from' }, options.from, 'VOLUME@SNAPSHOT')
  const { blockBytes, ...access } = parseVolumeOptions(options.option ?? [], { key: 'option' })
  const sizeBytes = from !== undefined && options.size === undefined ? undefined : sizeOf(options.size)
  const made = await withVolumes(options, service =>
    service.create({
      name,
      ...(sizeBytes !== undefined && { sizeBytes }),
      ...(blockBytes !== undefined && { blockBytes }),
      ...(from && { from }),
      access,
    }),
  )
  await tell(context, options, made, `volume ${name} made: ${exactSize(made.sizeBytes)}, ${made.target}`)
}

/** All volumes, by name. */
export async function listVolumes(context: CommandContext, options: VolumeCommandOptions): Promise<void> {
  const volumes = await withVolumes(options, service => service.list())
  if (options.json) {
    for (const volume of volumes) await writeJson(context.out, volume)
    return
  }
  if (volumes.length > 0) await writeAll(context.out, table([volumeHeads, ...volumes.map(volumeRow)]))
}

const volumeHeads = ['NAME', 'SIZE', 'USED', 'SNAPSHOTS', 'OPTIONS']
const volumeRow = ({ name, sizeBytes, usedBytes, snapshots, options, problem }: VolumeView): string[] => [
  name,
  formatSize(sizeBytes),
  usedBytes === undefined ? '?' : formatSize(usedBytes),
  String(snapshots.length),
  problem === undefined ? options.join(',') : `PROBLEM: ${problem}`,
]

/** All that is known of one. */
export async function showVolume(context: CommandContext, name: string, options: VolumeCommandOptions): Promise<void> {
  checkName(name, 'NAME')
  const volume = await withVolumes(options, service => service.get(name))
  await tell(context, options, volume, details(volume))
}

function details({ name, id, target, sizeBytes, usedBytes, options, createdAt, snapshots, problem }: VolumeView): string {
  const lines: readonly (readonly [string, string])[] = [
    ['name', name],
    ['target', target],
    ['size', `${formatSize(sizeBytes)} (${sizeBytes} bytes)`],
    ...(usedBytes === undefined ? [] : [['used', formatSize(usedBytes)] as const]),
    ['options', options.length === 0 ? 'none' : options.join(', ')],
    ['made', createdAt],
    ['id', id],
    ...snapshots.map((snapshot, index) => [index === 0 ? 'snapshots' : '', snapshotText(snapshot)] as const),
    ...(problem === undefined ? [] : [['problem', problem] as const]),
  ]
  return lines.map(([key, value]) => `${key.padEnd(10)} ${printable(value)}`).join('\n')
}

const snapshotText = ({ name, sizeBytes, createdAt }: SnapshotView): string => `${name} (${formatSize(sizeBytes)}, ${createdAt})`

export interface ResizeVolumeOptions extends VolumeCommandOptions {
  readonly size?: string
}

/** Makes it larger, also while it is in use. */
export async function resizeVolume(context: CommandContext, name: string, options: ResizeVolumeOptions): Promise<void> {
  checkName(name, 'NAME')
  const sizeBytes = sizeOf(options.size)
  const volume = await withVolumes(options, service => service.resize(name, sizeBytes))
  await tell(context, options, volume, `volume ${name} has ${exactSize(volume.sizeBytes)} now`)
}

/** With everything in it, and its snapshots. */
export async function deleteVolume(context: CommandContext, name: string, options: VolumeCommandOptions): Promise<void> {
  checkName(name, 'NAME')
  await withVolumes(options, service => service.delete(name))
  await tell(context, options, { name, outcome: 'deleted' }, `volume ${name} deleted`)
}

/** Keeps what the volume holds now. */
export async function createSnapshot(context: CommandContext, name: string, snapshot: string, options: VolumeCommandOptions): Promise<void> {
  checkName(name, 'VOLUME')
  checkName(snapshot, 'SNAPSHOT')
  const made = await withVolumes(options, service => service.createSnapshot(name, snapshot))
  await tell(context, options, made, `snapshot ${name}@${snapshot} made`)
}

/** Of one volume, the oldest first. */
export async function listSnapshots(context: CommandContext, name: string, options: VolumeCommandOptions): Promise<void> {
  checkName(name, 'VOLUME')
  const { snapshots } = await withVolumes(options, service => service.get(name))
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
  await withVolumes(options, service => service.deleteSnapshot(name, snapshot))
  await tell(context, options, { name: snapshot, outcome: 'deleted' }, `snapshot ${name}@${snapshot} deleted`)
}

async function tell(context: CommandContext, { json = false }: VolumeCommandOptions, value: unknown, text: string): Promise<void> {
  if (json) await writeJson(context.out, value)
  else await writeAll(context.out, `${text}\n`)
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

/** Columns as wide as what is in them, two blanks apart; the last one as it is. */
function table(rows: readonly (readonly string[])[]): string {
  const clean = rows.map(row => row.map(printable))
  const widths = (clean[0] ?? []).map((_, column) => Math.max(...clean.map(row => (row[column] ?? '').length)))
  return clean
    .map(
      row =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
