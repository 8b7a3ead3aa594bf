/** Tables: sorted by a click on a heading, filtered as one types; on a phone each row is a card. */
import type { ComponentChildren, JSX } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import { count } from '../../src/format.ts'
import { Icon, type IconName } from './icons.tsx'
import { Button, Empty, ProblemBox } from './parts.tsx'
import type { List } from './use-list.ts'

/** A column. Without `sort` it cannot be sorted by. */
export interface Column<Row> {
  readonly label: string
  cell(row: Row): ComponentChildren
  sort?(row: Row): string | number
  /** To the right, digits below digits. */
  readonly numeric?: true
  /** What may be left out on a narrow page: first 2, then 1. */
  readonly spare?: 1 | 2
  /** Holds buttons: has no heading that is seen. */
  readonly actions?: true
}

interface TableProps<Row> {
  readonly list: List<Row>
  readonly columns: readonly Column<Row>[]
  keyOf(row: Row): string
  /** What the filter looks at. */
  words(row: Row): readonly (string | undefined)[]
  /** What rows are: `['volume', 'volumes']`. */
  readonly noun: readonly [one: string, many: string]
  readonly icon: IconName
  readonly empty: ComponentChildren
  /** As it comes where undefined. */
  readonly sortedBy?: string
  readonly tools?: ComponentChildren
  readonly compact?: boolean
}

interface Order {
  readonly label: string | undefined
  readonly down: boolean
}

function sorted<Row>(rows: readonly Row[], columns: readonly Column<Row>[], { label, down }: Order): readonly Row[] {
  const key = columns.find(column => column.label === label)?.sort
  if (key === undefined) return rows
  const compare = (a: string | number, b: string | number): number =>
    typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true })
  return rows.toSorted((a, b) => (down ? -1 : 1) * compare(key(a), key(b)))
}

const classOf = <Row,>({ numeric, spare, actions }: Column<Row>): string =>
  [numeric ? 'numeric' : '', spare === undefined ? '' : `spare-${spare}`, actions ? 'row-actions' : ''].filter(word => word !== '').join(' ')

interface HeadingProps<Row> {
  readonly column: Column<Row>
  readonly order: Order
  onSort(order: Order): void
}

function Heading<Row>({ column, order, onSort }: HeadingProps<Row>): JSX.Element {
  const { label } = column
  const isKey = order.label === label
  if (column.sort === undefined) {
    return (
      <th scope="col" role="columnheader" class={classOf(column)}>
        <span class={column.actions ? 'hidden' : ''}>{label}</span>
      </th>
    )
  }
  return (
    <th scope="col" role="columnheader" class={classOf(column)} aria-sort={isKey ? (order.down ? 'descending' : 'ascending') : 'none'}>
      <button type="button" onClick={() => onSort({ label, down: isKey && !order.down })}>
        {label}
        {isKey ? <Icon name={order.down ? 'down' : 'up'} /> : undefined}
      </button>
    </th>
  )
}

/** The table of a list, with its filter, and what to say where there is none. */
export function Table<Row>(props: TableProps<Row>): JSX.Element {
  const { list, columns, keyOf, words, noun, icon, empty, tools, compact } = props
  const [filter, setFilter] = useState('')
  const [order, setOrder] = useState<Order>({ label: props.sortedBy, down: false })
  const wanted = filter.trim().toLowerCase()
  const rows = useMemo(() => {
    const all = list.rows ?? []
    const found = wanted === '' ? all : all.filter(row => words(row).some(word => word?.toLowerCase().includes(wanted)))
    return sorted(found, columns, order)
  }, [list.rows, wanted, order])

  if (list.rows === undefined && list.problem !== undefined) return <ProblemBox problem={list.problem} onRetry={list.reload} />
  if (list.rows === undefined) return <p class="loading">Reading…</p>
  const total = list.rows.length
  return (
    <>
      {list.problem === undefined ? undefined : <ProblemBox problem={list.problem} onRetry={list.reload} />}
      {compact && tools === undefined ? undefined : (
        <div class="tools">
          {compact ? undefined : (
            <label class="search">
              <Icon name="search" />
              <span class="hidden">Filter {noun[1]}</span>
              <input
                type="search"
                placeholder={`Filter ${noun[1]}`}
                value={filter}
                aria-keyshortcuts="/"
                onInput={event => setFilter(event.currentTarget.value)}
              />
            </label>
          )}
          {tools}
          <span class="muted tally" role="status">
            {wanted === '' ? '' : `${count(rows.length)} of `}
            {count(total)}
            {list.hasMore ? '+' : ''} {total === 1 ? noun[0] : noun[1]}
          </span>
        </div>
      )}
      {total === 0 ? (
        <Empty icon={icon}>{empty}</Empty>
      ) : rows.length === 0 ? (
        <Empty icon="search">
          <p>Nothing here has “{filter}” in it.</p>
          <Button label="Show all" onClick={() => setFilter('')} />
        </Empty>
      ) : (
        <div class="table-frame">
          <table role="table">
            <thead role="rowgroup">
              <tr role="row">
                {columns.map(column => (
                  <Heading key={column.label} column={column} order={order} onSort={setOrder} />
                ))}
              </tr>
            </thead>
            <tbody role="rowgroup">
              {rows.map(row => (
                <tr role="row" key={keyOf(row)}>
                  {columns.map((column, at) => (
                    <td key={column.label} role="cell" class={`${classOf(column)}${at === 0 ? ' first' : ''}`} data-label={column.label}>
                      <div>{column.cell(row)}</div>
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {list.hasMore ? (
        <div class="more">
          <Button label={`More ${noun[1]}`} onClick={list.more} />
        </div>
      ) : undefined}
    </>
  )
}
