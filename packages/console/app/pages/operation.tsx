/** One operation. */
import type { JSX } from 'preact'
import { dateTime } from '../../src/format.ts'
import { hasEnded, sentence } from '../../src/operations.ts'
import type { Operation } from '../../src/types.ts'
import { ask, mayChange } from '../api.ts'
import { learn, operations } from '../live.ts'
import { cancel } from '../ui/act.ts'
import { Ago, Badge, Button, Empty, Facts, PageHead, ProblemBox, Progress, StateBadge } from '../ui/parts.tsx'
import { useItem } from '../ui/use-item.ts'
import { useSignal, useTitle } from '../ui/use.ts'

/** All about it: what was asked for, and what became of it. */
export function OperationDetail({ id }: { readonly id: string }): JSX.Element {
  const { problem } = useItem(
    id,
    [],
    async () => {
      const operation = await ask('operation.show', id)
      learn([operation])
      return operation
    },
    5000,
  )
  const operation = useSignal(operations).get(id)
  useTitle(operation === undefined ? 'Operation' : sentence(operation))
  const crumb = (
    <a class="crumb" href="#/operations">
      Operations
    </a>
  )
  if (operation === undefined) {
    return (
      <>
        <PageHead title={<>{crumb}Operation</>} />
        {problem === undefined ? <p class="loading">Reading…</p> : <Empty icon="operation">{problem.detail}</Empty>}
      </>
    )
  }
  return (
    <>
      <PageHead
        title={
          <>
            {crumb}
            {sentence(operation)}
          </>
        }
      >
        {mayChange() && !hasEnded(operation) ? (
          <Button icon="stop" label="Cancel" disabled={operation.state === 'cancelling'} onClick={() => cancel(operation)} />
        ) : undefined}
      </PageHead>
      {hasEnded(operation) ? undefined : (
        <div class="card wide at-work">
          <Progress value={operation.percent} label={sentence(operation)} />
          <span class="digits">{Math.floor(operation.percent)} %</span>
          <span class="muted">{operation.note}</span>
        </div>
      )}
      {operation.problem === undefined ? undefined : <ProblemBox problem={operation.problem} />}
      <div class="columns">
        <About operation={operation} />
        <Json title="Request" value={operation.request} />
      </div>
      {operation.result === undefined || operation.result === null ? undefined : <Json title="Result" value={operation.result} />}
    </>
  )
}

const About = ({ operation }: { readonly operation: Operation }): JSX.Element => (
  <section class="card">
    <header>
      <h2>Operation</h2>
    </header>
    <Facts
      facts={[
        [
          'State',
          <>
            <StateBadge state={operation.state} /> {operation.recovery === undefined ? undefined : <Badge tone="warn">{operation.recovery}</Badge>}
          </>,
        ],
        ['Id', <code key="id">{operation.id}</code>],
        ['Kind', <code key="kind">{operation.kind}</code>],
        ['Target', <code key="target">{operation.target}</code>],
        ['User', operation.user],
        ['Received', dateTime(operation.createdAt)],
        ['Begun', operation.startedAt === undefined ? '–' : <Ago key="begun" at={operation.startedAt} />],
        ['Ended', operation.endedAt === undefined ? '–' : dateTime(operation.endedAt)],
      ]}
    />
  </section>
)

const Json = ({ title, value }: { readonly title: string; readonly value: unknown }): JSX.Element => (
  <section class="card wide">
    <header>
      <h2>{title}</h2>
    </header>
    <pre tabIndex={0} aria-label={title}>
      {JSON.stringify(value, undefined, 2) ?? 'nothing'}
    </pre>
  </section>
)
