/** How much is going on, how it is, and what runs now. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { count, duration, latency, percent, rate, size } from '../../src/format.ts'
import { hasEnded, newestFirst, sentence } from '../../src/operations.ts'
import { hrefOf } from '../../src/route.ts'
import type { Sample } from '../../src/samples.ts'
import { ask } from '../api.ts'
import { operations, overview, samples } from '../live.ts'
import { Plot, type Series } from '../plots/plot.tsx'
import { Icon } from '../ui/icons.tsx'
import { Ago, Meter, PageHead, Progress, StateBadge } from '../ui/parts.tsx'
import { useItem } from '../ui/use-item.ts'
import { useList } from '../ui/use-list.ts'
import { useNow, useSignal, useTitle } from '../ui/use.ts'

const windows = [
  ['1 min', 60_000],
  ['5 min', 300_000],
  ['15 min', 900_000],
] as const

const throughput: readonly Series[] = [
  { label: 'Read', value: sample => sample.readPerSecond },
  { label: 'Written', value: sample => sample.writtenPerSecond },
]
const latencies: readonly Series[] = [
  { label: 'Median', value: sample => sample.p50Ms },
  { label: '99th percentile', value: sample => sample.p99Ms },
]
const requests: readonly Series[] = [
  { label: 'SMB', value: sample => sample.perProtocol['smb'] },
  { label: 'iSCSI', value: sample => sample.perProtocol['iscsi'] },
]

/** The first page. */
export function Overview(): JSX.Element {
  useTitle('Overview')
  const [windowMs, setWindow] = useState<number>(300_000)
  const all = useSignal(samples)
  return (
    <>
      <Head windowMs={windowMs} onWindow={setWindow} />
      <div class="plots">
        <Plot title="Throughput" series={throughput} samples={all} windowMs={windowMs} format={rate} least={2 ** 20} binary />
        <Plot title="Requests a second" series={requests} samples={all} windowMs={windowMs} format={count} least={10} />
        <Plot title="Latency" series={latencies} samples={all} windowMs={windowMs} format={latency} least={1} />
      </div>
      <Figures last={all.at(-1)} />
      <div class="columns">
        <Health />
        <Running />
      </div>
    </>
  )
}

function Head({ windowMs, onWindow }: { readonly windowMs: number; onWindow(ms: number): void }): JSX.Element {
  const now = useNow()
  const { value: node } = useItem('node', [], () => ask('node'), 60_000)
  return (
    <PageHead
      title={node === undefined ? 'Overview' : node.name}
      about={node === undefined ? ' ' : `Holdfast ${node.version}, up ${duration(now - Date.parse(node.startedAt))}`}
    >
      <fieldset class="segments">
        <legend class="hidden">Time shown</legend>
        {windows.map(([label, ms]) => (
          <label key={label}>
            <input type="radio" name="window" checked={ms === windowMs} onChange={() => onWindow(ms)} />
            <span>{label}</span>
          </label>
        ))}
      </fieldset>
    </PageHead>
  )
}

function Figures({ last }: { readonly last: Sample | undefined }): JSX.Element {
  const now = useSignal(overview)
  const busy = last?.busy ?? []
  const average = busy.length === 0 ? undefined : busy.reduce((sum, one) => sum + one, 0) / busy.length
  const figure = (label: string, value: string, href?: string): JSX.Element => (
    <div class="figure">
      <dt>{label}</dt>
      <dd>{href === undefined ? value : <a href={href}>{value}</a>}</dd>
    </div>
  )
  return (
    <dl class="card figures" aria-label="Now">
      {figure('Connections', now === undefined ? '–' : count(now.connections))}
      {figure('Sessions', now === undefined ? '–' : count(now.sessions), '#/sessions')}
      {figure('Open files', now === undefined ? '–' : count(now.opens), '#/opens')}
      {figure('Memory', now === undefined ? '–' : size(now.memoryBytes))}
      <div class="figure workers">
        <dt>Workers</dt>
        <dd>
          <span>{average === undefined ? '–' : percent(average)}</span>
          <span class="bars">
            {busy.map((share, index) => (
              <Meter key={index} share={share} label={`Worker ${index} is busy`} />
            ))}
          </span>
        </dd>
      </div>
    </dl>
  )
}

function Health(): JSX.Element {
  const volumes = useList('volume.list', { topics: ['volume'], everyMs: 15_000 })
  const shares = useList('share.list', { topics: ['share'], everyMs: 15_000 })
  const { value: node } = useItem('node', [], () => ask('node'), 60_000)
  const problems = [
    ...(volumes.rows ?? []).map(({ name, problem }) => ({ what: `Volume ${name}`, href: hrefOf('volumes', name), problem })),
    ...(shares.rows ?? []).map(({ name, problem }) => ({ what: `Share ${name}`, href: '#/shares', problem })),
  ].filter(({ problem }) => problem !== undefined)
  const isKnown = volumes.rows !== undefined && shares.rows !== undefined
  return (
    <section class="card">
      <header>
        <h2>Health</h2>
      </header>
      {problems.length === 0 ? (
        <p class={isKnown ? 'healthy' : 'muted'}>
          {isKnown ? <Icon name="done" /> : undefined}
          {isKnown ? `${plural(shares.rows.length, 'share')} and ${plural(volumes.rows.length, 'volume')} are served` : 'Reading…'}
        </p>
      ) : (
        <ul class="lines">
          {problems.map(({ what, href, problem }) => (
            <li key={what} class="unhealthy">
              <Icon name="warning" />
              <span>
                <a href={href}>{what}</a> is not served: {problem}
              </span>
            </li>
          ))}
        </ul>
      )}
      <ul class="lines listeners">
        {node?.listeners.map(({ protocol, address }) => (
          <li key={`${protocol} ${address}`}>
            <span class="muted">{protocolNames[protocol] ?? protocol}</span>
            <code>{address}</code>
          </li>
        ))}
      </ul>
    </section>
  )
}
const protocolNames: Readonly<Record<string, string>> = { smb: 'SMB', iscsi: 'iSCSI', http: 'HTTP' }
const plural = (many: number, noun: string): string => `${many === 0 ? 'no' : count(many)} ${noun}${many === 1 ? '' : 's'}`

function Running(): JSX.Element {
  const all = newestFirst(useSignal(operations))
  const running = all.filter(operation => !hasEnded(operation))
  const shown = [...running, ...all.filter(hasEnded)].slice(0, Math.max(5, Math.min(8, running.length)))
  return (
    <section class="card">
      <header>
        <h2>Operations</h2>
        <a href="#/operations">All</a>
      </header>
      {shown.length === 0 ? <p class="muted">Nothing has been asked for yet.</p> : undefined}
      <ul class="lines">
        {shown.map(operation => (
          <li key={operation.id}>
            <a class="grows" href={hrefOf('operations', operation.id)}>
              {sentence(operation)}
            </a>
            {hasEnded(operation) ? (
              <>
                <span class="muted">
                  <Ago at={operation.endedAt ?? operation.createdAt} />
                </span>
                <StateBadge state={operation.state} />
              </>
            ) : (
              <>
                <Progress value={operation.percent} label={sentence(operation)} />
                <span class="digits">{Math.floor(operation.percent)} %</span>
              </>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}
