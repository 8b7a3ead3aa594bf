/** Operations: all, or one of them. */
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { duration } from '../../src/format.ts'
import { hasEnded, newestFirst, sentence } from '../../src/operations.ts'
import { hrefOf } from '../../src/route.ts'
import type { Operation } from '../../src/types.ts'
import { mayChange } from '../api.ts'
import { learn, operations } from '../live.ts'
import { cancel } from '../ui/act.ts'
import { Ago, Badge, Button, PageHead, Progress, StateBadge } from '../ui/parts.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { useList } from '../ui/use-list.ts'
import { useSignal, useTitle } from '../ui/use.ts'
import type { PageProps } from './index.tsx'
import { OperationDetail } from './operation.tsx'

const states = ['all', 'running', 'succeeded', 'failed', 'cancelled'] as const
type Shown = (typeof states)[number]
const isShown = (operation: Operation, shown: Shown): boolean =>
  shown === 'all' || (shown === 'running' ? !hasEnded(operation) : operation.state === shown)

const tookMs = ({ createdAt, endedAt }: Operation): number => (endedAt === undefined ? Date.now() : Date.parse(endedAt)) - Date.parse(createdAt)

const columns: readonly Column<Operation>[] = [
  {
    label: 'Operation',
    sort: sentence,
    cell: operation => (
      <>
        <a class="strong" href={hrefOf('operations', operation.id)}>
          {sentence(operation)}
        </a>
        {operation.recovery === undefined ? undefined : <Badge tone="warn">{operation.recovery}</Badge>}
        {operation.problem === undefined ? undefined : <span class="under muted">{operation.problem.detail}</span>}
        {hasEnded(operation) || operation.note === undefined ? undefined : <span class="under muted">{operation.note}</span>}
      </>
    ),
  },
  {
    label: 'State',
    sort: ({ state }) => state,
    cell: operation => (
      <span class="state">
        <StateBadge state={operation.state} />
        {hasEnded(operation) ? undefined : (
          <>
            <Progress value={operation.percent} label={sentence(operation)} />
            <span class="digits">{Math.floor(operation.percent)} %</span>
          </>
        )}
      </span>
    ),
  },
  { label: 'User', spare: 1, sort: ({ user }) => user, cell: ({ user }) => user },
  { label: 'Begun', sort: ({ createdAt }) => createdAt, cell: ({ createdAt }) => <Ago at={createdAt} /> },
  { label: 'Took', numeric: true, spare: 1, sort: tookMs, cell: operation => (tookMs(operation) < 1000 ? '< 1 s' : duration(tookMs(operation))) },
  {
    label: 'Actions',
    actions: true,
    cell: operation =>
      hasEnded(operation) || !mayChange() ? undefined : (
        <Button
          icon="stop"
          label="Cancel"
          name={`Cancel: ${sentence(operation)}`}
          look="quiet"
          disabled={operation.state === 'cancelling'}
          onClick={() => cancel(operation)}
        />
      ),
  },
]

/** The list; with an id, that operation. */
export function Operations({ argument }: PageProps): JSX.Element {
  return argument === undefined ? <OperationList /> : <OperationDetail id={argument} />
}

function OperationList(): JSX.Element {
  useTitle('Operations')
  const [shown, setShown] = useState<Shown>('all')
  const list = useList('operation.list', { topics: [], everyMs: 5000 })
  useEffect(() => {
    if (list.rows !== undefined) learn(list.rows)
  }, [list.rows])
  const known = newestFirst(useSignal(operations)).filter(operation => isShown(operation, shown))
  return (
    <>
      <PageHead title="Operations" about="What takes time, from the receipt to its outcome." />
      <Table
        list={{ ...list, rows: list.rows === undefined ? undefined : known }}
        columns={columns}
        keyOf={({ id }) => id}
        words={operation => [sentence(operation), operation.kind, operation.target, operation.user, operation.id]}
        noun={['operation', 'operations']}
        icon="operation"
        empty={<p>{shown === 'all' ? 'Nothing has been asked for yet.' : `None is ${shown}.`}</p>}
        tools={
          <label class="pick">
            <span class="hidden">State</span>
            <select value={shown} onChange={event => setShown(event.currentTarget.value as Shown)}>
              {states.map(state => (
                <option key={state} value={state}>
                  {state}
                </option>
              ))}
            </select>
          </label>
        }
      />
    </>
  )
}
