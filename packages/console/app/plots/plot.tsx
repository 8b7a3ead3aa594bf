/** A plot over time, drawn by uPlot. Colours are the page's, so that it changes with the theme. */
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { clock } from '../../src/format.ts'
import type { Sample } from '../../src/samples.ts'
import { shownTheme } from '../theme.ts'
import { colourOf } from '../ui/colour.ts'

/** A line. */
export interface Series {
  readonly label: string
  value(sample: Sample): number | undefined
}

interface PlotProps {
  readonly title: string
  readonly series: readonly Series[]
  readonly samples: readonly Sample[]
  readonly windowMs: number
  format(value: number): string
  /** The smallest value that the axis reaches to: noise is not to look like load. */
  readonly least: number
  /** Steps of the axis are powers of two. */
  readonly binary?: true
}

const binarySteps = Array.from({ length: 50 }, (_, power) => 2 ** power)
const decimalSteps = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map(step => step * 10 ** (power - 4))).flat()
/** Moments further apart are not joined. */
const gapMs = 5000
const leastShownSeconds = 30

/** Times in seconds, and a column for each line. */
function columnsOf(samples: readonly Sample[], series: readonly Series[]): [number[], ...(number | null)[][]] {
  const times: number[] = []
  const columns: (number | null)[][] = series.map(() => [])
  for (const sample of samples) {
    const before = times.at(-1)
    if (before !== undefined && sample.atMs - before * 1000 > gapMs) {
      times.push((sample.atMs - 1) / 1000)
      for (const column of columns) column.push(null)
    }
    times.push(sample.atMs / 1000)
    for (const [at, { value }] of series.entries()) columns[at]?.push(value(sample) ?? null)
  }
  return [times, ...columns]
}

const lineColours = ['--accent', '--second'] as const

function optionsOf({ series, format, least, binary }: PlotProps, element: HTMLElement, onCursor: (at: number | null) => void): uPlot.Options {
  const named = (name: string) => (): string => colourOf(element, name)
  const grid = { stroke: named('--line'), width: 1 }
  const axis = { stroke: named('--muted'), font: `11px ${getComputedStyle(element).fontFamily}`, ticks: { show: false }, grid }
  return {
    width: Math.max(200, element.clientWidth),
    height: element.clientHeight,
    padding: [6, 4, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'overview' }, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (_, _min, max) => [0, Math.max(least, (max ?? 0) * 1.12)] } },
    axes: [
      {
        ...axis,
        size: 22,
        gap: 4,
        space: 80,
        grid: { show: false },
        values: (_, times, _axis, _space, step) => times.map(time => clock(time * 1000).slice(0, step < 60 ? 8 : 5)),
      },
      {
        ...axis,
        size: 64,
        gap: 6,
        space: 30,
        incrs: binary ? binarySteps : decimalSteps,
        values: (_, values) => values.map(value => (value === 0 ? '0' : format(value))),
      },
    ],
    series: [
      {},
      ...series.map(({ label }, at): uPlot.Series => {
        const name = lineColours[at] ?? '--second'
        return {
          label,
          stroke: named(name),
          width: 1.5,
          points: { show: false },
          ...(at === 0 ? { fill: () => colourOf(element, '--accent-fill') } : {}),
        }
      }),
    ],
    hooks: { setCursor: [({ cursor: { idx } }) => onCursor(idx ?? null)] },
  }
}

/** The plot with its title, and the values of now, or of where one points. */
export function Plot(props: PlotProps): JSX.Element {
  const { title, series, samples, windowMs, format } = props
  const element = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const [cursor, setCursor] = useState<number | null>(null)
  const columns = columnsOf(samples, series)

  useEffect(() => {
    const place = element.current
    if (place === null) return undefined
    const drawn = new uPlot(optionsOf(props, place, setCursor), columns, place)
    plot.current = drawn
    const resized = new ResizeObserver(() => drawn.setSize({ width: Math.max(200, place.clientWidth), height: place.clientHeight }))
    resized.observe(place)
    const unsubscribe = shownTheme.subscribe(() => drawn.redraw(false, true))
    return () => {
      unsubscribe()
      resized.disconnect()
      drawn.destroy()
      plot.current = undefined
    }
  }, [series.map(({ label }) => label).join()])
  useEffect(() => {
    const now = (samples.at(-1)?.atMs ?? Date.now()) / 1000
    const known = now - (samples[0]?.atMs ?? 0) / 1000
    // What was before the page was opened is not known: no use in showing much of it.
    const shown = Math.min(windowMs / 1000, Math.max(leastShownSeconds, known))
    plot.current?.batch(() => {
      plot.current?.setData(columns, false)
      plot.current?.setScale('x', { min: now - shown, max: now })
    })
  }, [samples, windowMs])

  const at = cursor === null || cursor >= columns[0].length ? undefined : cursor
  const time = at === undefined ? undefined : columns[0][at]
  const shown = series.map(({ label }, index) => {
    const column = columns[index + 1] ?? []
    const value = column[at ?? column.length - 1]
    return { label, text: value === null || value === undefined ? '–' : format(value) }
  })
  return (
    <section class="card plot" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span class="muted time">{time === undefined ? '' : clock(time * 1000)}</span>
      </header>
      <dl class="legend">
        {shown.map(({ label, text }, index) => (
          <div key={label} class={`line-${index}`}>
            <dt>{label}</dt>
            <dd data-value={label}>{text}</dd>
          </div>
        ))}
      </dl>
      <div ref={element} class="plot-place" role="img" aria-label={`${title}: ${shown.map(({ label, text }) => `${label} ${text}`).join(', ')}`} />
    </section>
  )
}
