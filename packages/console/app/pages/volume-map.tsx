/** Which pages of a volume have content, drawn: a cell for each, the fuller the darker. */
import type { JSX } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { percent, size } from '../../src/format.ts'
import type { VolumeMap } from '../../src/types.ts'
import { shownTheme } from '../theme.ts'
import { colourOf } from '../ui/colour.ts'
import { useSignal } from '../ui/use.ts'

const gap = 1
/** Cells are as large as fits, within this. */
const [cellMin, cellMax] = [5, 14]
const rowsWanted = 14

interface Grid {
  readonly columns: number
  readonly rows: number
  readonly cell: number
}

/** Cells that fill the width, in not many more rows than wanted. */
function gridOf(cells: number, width: number): Grid {
  let cell = cellMax
  while (cell > cellMin && Math.ceil(cells / Math.floor(width / (cell + gap))) > rowsWanted) cell--
  const columns = Math.max(1, Math.min(cells, Math.floor(width / (cell + gap))))
  return { columns, rows: Math.ceil(cells / columns), cell }
}

const cellsOf = (map: VolumeMap): Uint8Array => Uint8Array.from(atob(map.cells), char => char.charCodeAt(0))

function draw(canvas: HTMLCanvasElement, place: HTMLElement, cells: Uint8Array, grid: Grid): void {
  const { columns, rows, cell } = grid
  const scale = devicePixelRatio
  const [width, height] = [columns * (cell + gap), rows * (cell + gap)]
  canvas.width = width * scale
  canvas.height = height * scale
  canvas.style.width = `${width}px`
  canvas.style.height = `${height}px`
  const context = canvas.getContext('2d')
  if (context === null) return
  context.scale(scale, scale)
  const [empty, full] = [colourOf(place, '--hover'), colourOf(place, '--accent')]
  context.clearRect(0, 0, width, height)
  for (const [at, value] of cells.entries()) {
    const [x, y] = [(at % columns) * (cell + gap), Math.floor(at / columns) * (cell + gap)]
    context.globalAlpha = 1
    context.fillStyle = empty
    context.fillRect(x, y, cell, cell)
    if (value === 0) continue
    context.globalAlpha = 0.3 + (0.7 * value) / 255
    context.fillStyle = full
    context.fillRect(x, y, cell, cell)
  }
}

/** The map with its legend, and what a cell is that one points at. */
export function MapCard({ map }: { readonly map: VolumeMap }): JSX.Element {
  const place = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const [width, setWidth] = useState(0)
  const [pointed, setPointed] = useState<number>()
  const theme = useSignal(shownTheme)
  const cells = useMemo(() => cellsOf(map), [map.cells])
  const grid = useMemo(() => gridOf(cells.length, Math.max(width, 100)), [cells.length, width])
  useEffect(() => {
    const element = place.current
    if (element === null) return undefined
    const resized = new ResizeObserver(() => setWidth(element.clientWidth))
    resized.observe(element)
    return () => resized.disconnect()
  }, [])
  useEffect(() => {
    if (canvas.current !== null && place.current !== null && width > 0) draw(canvas.current, place.current, cells, grid)
  }, [cells, grid, width, theme])

  const used = cells.reduce((sum, value) => sum + (value > 0 ? 1 : 0), 0)
  const point = (event: PointerEvent): void => {
    const step = grid.cell + gap
    const [column, row] = [Math.floor(event.offsetX / step), Math.floor(event.offsetY / step)]
    const at = row * grid.columns + column
    setPointed(column < grid.columns && at < cells.length ? at : undefined)
  }
  const begin = (pointed ?? 0) * map.cellBytes
  return (
    <section class="card wide map">
      <header>
        <h2>Map</h2>
        <span class="muted">
          {pointed === undefined
            ? `${percent(cells.length === 0 ? 0 : used / cells.length)} of ${cells.length} cells of ${size(map.cellBytes)} have content`
            : `${size(begin)} to ${size(Math.min(map.sizeBytes, begin + map.cellBytes))}: ${percent((cells[pointed] ?? 0) / 255)} allocated`}
        </span>
      </header>
      <div ref={place}>
        <canvas
          ref={canvas}
          role="img"
          aria-label={`Map of the volume: ${used} of ${cells.length} cells have content`}
          onPointerMove={point}
          onPointerLeave={() => setPointed(undefined)}
        />
      </div>
    </section>
  )
}

/** Its place, until it has come. */
export const MapUnknown = (): JSX.Element => (
  <section class="card wide map">
    <header>
      <h2>Map</h2>
    </header>
    <p class="loading">Reading…</p>
  </section>
)
