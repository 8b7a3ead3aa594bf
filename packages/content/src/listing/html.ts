/** Pages for people. Without scripts; what they look like is in the page itself. */

import { createHash } from 'node:crypto'
import { type Location, shownName, urlComponent, urlOf } from '../location.ts'
import type { ContentShare } from '../shares.ts'
import type { EntryPage, ListedEntry } from './entries.ts'
import { style } from './style.css.ts'

/** Nothing is fetched, run, sent or framed (CSP 3). */
export const pagePolicy: string = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escaped = (text: string): string => text.replace(/[&<>"']/g, character => entities[character])

const icons = {
  folder: '<path d="M1.5 3.5a1 1 0 0 1 1-1h3.6l1.5 1.6h5.9a1 1 0 0 1 1 1v7.4a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1z" fill="currentColor" stroke="none"/>',
  file: '<path d="M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3"/>',
} as const
const icon = (kind: keyof typeof icons): string =>
  `<svg class="${kind}" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-linejoin="round" aria-hidden="true">${icons[kind]}</svg>`

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
${body}
</body>
</html>
`

/** Where one is, and the way back. */
function breadcrumb({ share, path }: Location): string {
  const names = path === '' ? [] : path.split('/')
  const steps = [
    { name: 'Shares', url: '/' },
    ...(share === '' ? [] : [{ name: share, url: urlOf({ share, path: '', isFolder: true }) }]),
    ...names.map((name, at) => ({ name: shownName(name), url: urlOf({ share, path: names.slice(0, at + 1).join('/'), isFolder: true }) })),
  ]
  const items = steps.map(({ name, url }, at) =>
    at === steps.length - 1 ? `<li aria-current="page"><h1>${escaped(name)}</h1></li>` : `<li><a href="${escaped(url)}">${escaped(name)}</a></li>`,
  )
  return `<nav aria-label="Path"><ol>${items.join('')}</ol></nav>`
}

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Three digits or so. */
export function shownSize(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  if (unit === 0) return bytes === 1 ? '1 byte' : `${bytes} bytes`
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

const shownTime = (ms: number): string => new Date(ms).toISOString().replace(/T(\d\d:\d\d).*/, ' $1')

/** What a listing is sorted by. */
export const sortKeys = ['name', 'size', 'modified'] as const
export type SortKey = (typeof sortKeys)[number]
/** The order of a listing. */
export interface Order {
  readonly by: SortKey
  readonly isDescending: boolean
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })
const compare: Readonly<Record<SortKey, (a: ListedEntry, b: ListedEntry) => number>> = {
  name: (a, b) => collator.compare(a.name, b.name),
  size: (a, b) => a.sizeBytes - b.sizeBytes,
  modified: (a, b) => a.modifiedMs - b.modifiedMs,
}

/** Folders first; of files that are equal, by name. */
function sorted(entries: readonly ListedEntry[], { by, isDescending }: Order): readonly ListedEntry[] {
  const sign = isDescending ? -1 : 1
  return entries.toSorted((a, b) => Number(b.isFolder) - Number(a.isFolder) || sign * compare[by](a, b) || compare.name(a, b))
}

const row = ({ name, isFolder, sizeBytes, modifiedMs }: ListedEntry): string => `<tr>
<td class="name"><a href="${escaped(urlComponent(name))}${isFolder ? '/' : ''}">${icon(isFolder ? 'folder' : 'file')}<span>${escaped(shownName(name))}</span></a></td>
<td class="size"${isFolder ? '></td>' : ` title="${sizeBytes} bytes">${shownSize(sizeBytes)}</td>`}
<td class="modified"><time datetime="${new Date(modifiedMs).toISOString()}">${shownTime(modifiedMs)}</time></td>
</tr>`

const titles: Readonly<Record<SortKey, string>> = { name: 'Name', size: 'Size', modified: 'Modified (UTC)' }

/** Only what is on one page can be sorted. */
function header(key: SortKey, order: Order, canSort: boolean): string {
  if (!canSort) return `<th class="${key}" scope="col">${titles[key]}</th>`
  const isThis = order.by === key
  const next = isThis && !order.isDescending ? `?sort=${key}&amp;order=descending` : `?sort=${key}`
  const sort = isThis ? ` aria-sort="${order.isDescending ? 'descending' : 'ascending'}"` : ''
  return `<th class="${key}" scope="col"${sort}><a href="${next}">${titles[key]}</a></th>`
}

function summary(entries: readonly ListedEntry[], isWhole: boolean): string {
  const folders = entries.filter(({ isFolder }) => isFolder).length
  const files = entries.length - folders
  const bytes = entries.reduce((sum, entry) => sum + (entry.isFolder ? 0 : entry.sizeBytes), 0)
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`
  return `${count(folders, 'folder')}, ${count(files, 'file')}, ${shownSize(bytes)}${isWhole ? '' : ' on this page'}`
}

/** A folder. */
export function folderAsHtml(at: Location, { entries, next, isWhole }: EntryPage, order: Order): string {
  const shown = isWhole ? sorted(entries, order) : entries
  const heads = sortKeys.map(key => header(key, order, isWhole)).join('')
  const table =
    entries.length === 0
      ? '<p>This folder is empty.</p>'
      : `<table>\n<thead><tr>${heads}</tr></thead>\n<tbody>\n${shown.map(row).join('\n')}\n</tbody>\n</table>`
  const query = next === undefined ? '' : new URLSearchParams({ after: next }).toString()
  const more = next === undefined ? '' : `<a href="?${escaped(query)}" rel="next">Next page</a>`
  const title = at.path === '' ? at.share : shownName(at.path.slice(at.path.lastIndexOf('/') + 1))
  return page(title, `${breadcrumb(at)}\n<main>\n${table}\n</main>\n<footer><span>${summary(entries, isWhole)}</span>${more}</footer>`)
}

/** The shares that somebody can read. `canLogIn`: there may be more for somebody who says who they are. */
export function sharesAsHtml(shares: readonly ContentShare[], canLogIn: boolean): string {
  const rows = shares.map(
    ({ name, comment }) => `<tr>
<td class="name"><a href="${escaped(urlOf({ share: name, path: '', isFolder: true }))}">${icon('folder')}<span>${escaped(name)}</span></a></td>
<td>${escaped(comment)}</td>
</tr>`,
  )
  const table = shares.length === 0 ? '<p>There are no shares for you here.</p>' : `<table>\n<tbody>\n${rows.join('\n')}\n</tbody>\n</table>`
  const login = canLogIn ? '<footer><span></span><a href="/?login">Log in to see more</a></footer>' : ''
  return page('Shares', `${breadcrumb({ share: '', path: '', isFolder: true })}\n<main>\n${table}\n</main>\n${login}`)
}

/** Why there is nothing to see. */
export const problemAsHtml = (title: string, detail: string): string =>
  page(title, `<main>\n<h1>${escaped(title)}</h1>\n<p>${escaped(detail)}</p>\n</main>\n<footer><a href="/">Shares</a></footer>`)
