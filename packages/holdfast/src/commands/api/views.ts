/** How each kind of thing of the API is shown: the columns of its list, and the lines of one. */

import type { ListId, ResultOf } from '@holdfast/api-client'
import { formatSize } from '../../config/units.ts'
import { type Cell, type Colour, timeText } from './table.ts'

type Item<Id extends ListId> = ResultOf<Id> extends { readonly items: readonly (infer One)[] } ? One : never

export type VolumeItem = Item<'volume.list'>
export type ShareItem = Item<'share.list'>
export type UserItem = Item<'user.list'>
export type OperationItem = Item<'operation.list'>
export type SessionItem = Item<'session.list'>
export type OpenItem = Item<'open.list'>
export type AuditItem = Item<'audit.list'>
export type NodeItem = ResultOf<'node'>

/** A column: its head, what is in it, and whether it is a number. */
type Column<T> = readonly [head: string, cell: (item: T) => Cell, isNumber?: boolean]
type Lines<T> = (item: T) => readonly (readonly [key: string, value: Cell])[]

export interface View<T> {
  readonly columns: readonly Column<T>[]
  readonly lines: Lines<T>
}

const view = <T>(columns: readonly Column<T>[], lines: Lines<T>): View<T> => ({ columns, lines })
const words = (list: readonly string[]): string => list.join(',')
const wordsOrNone = (list: readonly string[]): string => (list.length === 0 ? 'none' : list.join(', '))
const yesNo = (value: boolean): string => (value ? 'yes' : 'no')
const problemCell = (problem: string): Cell => ({ text: `PROBLEM: ${problem}`, colour: 'red' })
/** A line for what is known only. */
const where = (key: string, value: Cell | undefined): readonly (readonly [string, Cell])[] => (value === undefined ? [] : [[key, value]])

const stateColours: Readonly<Record<OperationItem['state'], Colour>> = {
  queued: 'dim',
  running: 'cyan',
  cancelling: 'yellow',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'yellow',
}
/** The state of an operation. */
export const stateCell = (state: OperationItem['state']): { readonly text: string; readonly colour: Colour } => ({
  text: state,
  colour: stateColours[state],
})
/** `/v1/shares/My%20docs` -> `My docs`, `/v1/volumes/disk1/snapshots/before` -> `disk1@before`: what something is done to, by its own name. */
export function nameOfTarget(target: string): string {
  const [, , , name = target, below, ...rest] = target.split('/')
  return [name, ...(below === undefined ? [] : [rest.join('/')])].map(decodeURIComponent).join('@')
}

const clientText = ({ address, port, name }: SessionItem['client']): string => `${name === undefined ? '' : `${name} `}${address}:${port}`

export const views = {
  volume: view<VolumeItem>(
    [
      ['NAME', ({ name }) => name],
      ['SIZE', ({ sizeBytes }) => formatSize(sizeBytes)],
      ['USED', ({ usedBytes }) => (usedBytes === undefined ? '?' : formatSize(usedBytes))],
      ['SNAPSHOTS', ({ snapshots }) => String(snapshots.length)],
      ['OPTIONS', ({ options, problem }) => (problem === undefined ? words(options) : problemCell(problem))],
    ],
    ({ name, id, target, sizeBytes, usedBytes, options, createdAt, snapshots, problem }) => [
      ['name', name],
      ['target', target],
      ['size', `${formatSize(sizeBytes)} (${sizeBytes} bytes)`],
      ...where('used', usedBytes === undefined ? undefined : formatSize(usedBytes)),
      ['options', wordsOrNone(options)],
      ['made', createdAt],
      ['id', id],
      ...snapshots.map(
        (snapshot, index) => [index === 0 ? 'snapshots' : '', `${snapshot.name} (${formatSize(snapshot.sizeBytes)}, ${snapshot.createdAt})`] as const,
      ),
      ...where('problem', problem === undefined ? undefined : { text: problem, colour: 'red' }),
    ],
  ),
  share: view<ShareItem>(
    [
      ['NAME', ({ name }) => name],
      ['PATH', ({ path }) => path],
      ['SESSIONS', ({ sessions }) => String(sessions ?? '?'), true],
      ['OPENS', ({ opens }) => String(opens ?? '?'), true],
      ['FROM', ({ origin }) => origin],
      ['OPTIONS', ({ options, problem }) => (problem === undefined ? words(options) : problemCell(problem))],
    ],
    ({ name, path, options, comment, origin, sessions, opens, problem }) => [
      ['name', name],
      ['path', path],
      ['options', wordsOrNone(options)],
      ...where('comment', comment),
      ['from', origin === 'api' ? 'api' : 'configuration: change it there'],
      ...where('sessions', sessions === undefined ? undefined : String(sessions)),
      ...where('opens', opens === undefined ? undefined : String(opens)),
      ...where('problem', problem === undefined ? undefined : { text: problem, colour: 'red' }),
    ],
  ),
  user: view<UserItem>(
    [
      ['NAME', ({ name }) => name],
      ['ROLE', ({ role }) => role],
      ['MAY LOG IN', ({ disabled }) => (disabled ? { text: 'no', colour: 'yellow' } : 'yes')],
      ['ISCSI', ({ chapProblem }) => chapProblem ?? 'yes'],
      ['FROM', ({ origin }) => origin ?? ''],
    ],
    ({ name, role, disabled, origin, createdAt, chapProblem }) => [
      ['name', name],
      ['role', role],
      ['may log in', disabled ? { text: 'no', colour: 'yellow' } : 'yes'],
      ['iscsi', chapProblem ?? 'yes'],
      ...where('from', origin),
      ...where('made', createdAt === undefined ? undefined : timeText(createdAt)),
    ],
  ),
  operation: view<OperationItem>(
    [
      ['ID', ({ id }) => id],
      ['BEGAN', ({ createdAt }) => timeText(createdAt)],
      ['USER', ({ user }) => user],
      ['KIND', ({ kind }) => kind],
      ['OF', ({ target }) => nameOfTarget(target)],
      ['DONE', ({ percent }) => `${Math.floor(percent)}%`, true],
      ['STATE', ({ state }) => stateCell(state)],
      ['', ({ problem, note, endedAt }) => problem?.detail ?? (endedAt === undefined ? (note ?? '') : '')],
    ],
    ({ id, kind, target, user, state, percent, note, result, problem, recovery, createdAt, endedAt }) => [
      ['id', id],
      ['kind', kind],
      ['of', target],
      ['user', user],
      ['state', stateCell(state)],
      ['done', `${Math.floor(percent)}%`],
      ...where('at', note),
      ...where('recovery', recovery && `${recovery} after the node had ended`),
      ['began', timeText(createdAt)],
      ...where('ended', endedAt && timeText(endedAt)),
      ...where('problem', problem && { text: `${problem.detail} (${problem.code})`, colour: 'red' }),
      ...where('result', result === undefined || result === null ? undefined : JSON.stringify(result)),
    ],
  ),
  session: view<SessionItem>(
    [
      ['ID', ({ id }) => id],
      ['PROTOCOL', ({ protocol, dialect }) => `${protocol} ${dialect}`],
      ['USER', ({ user }) => user],
      ['CLIENT', ({ client }) => clientText(client)],
      ['SINCE', ({ since }) => timeText(since)],
      ['OPENS', ({ opens }) => String(opens), true],
      ['USES', ({ uses }) => words(uses)],
    ],
    ({ id, protocol, dialect, user, client, since, lastActive, signing, encryption, connections, opens, uses, bytesRead, bytesWritten }) => [
      ['id', id],
      ['protocol', `${protocol} ${dialect}`],
      ['user', user],
      ['client', clientText(client)],
      ['since', timeText(since)],
      ...where('last', lastActive && timeText(lastActive)),
      ['signing', yesNo(signing)],
      ['encryption', yesNo(encryption)],
      ['connections', String(connections)],
      ['opens', String(opens)],
      ['uses', wordsOrNone(uses)],
      ...where('read', bytesRead === undefined ? undefined : formatSize(bytesRead)),
      ...where('written', bytesWritten === undefined ? undefined : formatSize(bytesWritten)),
    ],
  ),
  open: view<OpenItem>(
    [
      ['ID', ({ id }) => id],
      ['USER', ({ user }) => user],
      ['ACCESS', ({ access }) => access],
      ['CACHING', ({ caching }) => caching ?? ''],
      ['LOCKS', ({ locks }) => String(locks), true],
      ['KEPT', ({ durability, waiting }) => (waiting ? { text: `${durability}, waits for its client`, colour: 'yellow' } : durability)],
      ['FILE', ({ share, path }) => `${share}/${path.replaceAll('\\', '/').replace(/^\//, '')}`],
    ],
    () => [],
  ),
  audit: view<AuditItem>(
    [
      ['AT', ({ at }) => timeText(at)],
      ['USER', ({ user }) => user],
      ['FROM', ({ address }) => address || 'this machine'],
      ['ACTION', ({ action }) => action],
      ['OF', ({ target }) => target],
      ['OUTCOME', ({ outcome }) => ({ text: outcome, colour: outcome === 'refused' ? 'red' : 'green' })],
      ['', ({ detail }) => detail ?? ''],
    ],
    () => [],
  ),
  node: view<NodeItem>(
    [
      ['NAME', ({ name }) => name],
      ['VERSION', ({ version }) => version],
      ['UP SINCE', ({ startedAt }) => timeText(startedAt)],
      ['WORKERS', ({ workers }) => String(workers), true],
      ['LISTENS', ({ listeners }) => listeners.map(({ protocol, address }) => `${protocol}=${address}`).join(' ')],
    ],
    ({ name, version, startedAt, workers, listeners }) => [
      ['name', name],
      ['version', version],
      ['up since', timeText(startedAt)],
      ['workers', String(workers)],
      ...listeners.map(({ protocol, address }) => [protocol, address] as const),
    ],
  ),
} as const

/** Kinds that are shown. */
export type ViewKind = keyof typeof views

/** Heads and rows of a list; nothing for an empty one. */
export function rowsOf<T>({ columns }: View<T>, items: readonly T[]): Cell[][] {
  if (items.length === 0) return []
  return [columns.map(([head]) => ({ text: head, colour: 'bold' as const })), ...items.map(item => columns.map(([, cell]) => cell(item)))]
}

/** Which columns are numbers. */
export const numbersOf = <T>({ columns }: View<T>): number[] => columns.flatMap(([, , isNumber], index) => (isNumber === true ? [index] : []))
