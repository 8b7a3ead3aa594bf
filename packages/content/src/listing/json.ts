/** Listings for programs. */

import { type Location, shownName, urlComponent, urlOf } from '../location.ts'
import type { ContentShare } from '../shares.ts'
import type { EntryPage } from './entries.ts'

/** A folder: its entries in the order of their names, and where the next of them are. */
export function folderAsJson(at: Location, { entries, next }: EntryPage, limit: number): string {
  const url = urlOf(at)
  const query = next === undefined ? undefined : new URLSearchParams({ format: 'json', limit: String(limit), after: next })
  return `${JSON.stringify({
    share: at.share,
    path: shownPath(at),
    entries: entries.map(({ name, isFolder, sizeBytes, modifiedMs }) => ({
      name: shownName(name),
      type: isFolder ? 'folder' : 'file',
      ...(!isFolder && { size: sizeBytes }),
      modified: new Date(modifiedMs).toISOString(),
      url: `${url}${urlComponent(name)}${isFolder ? '/' : ''}`,
    })),
    next: query === undefined ? null : `${url}?${query.toString()}`,
  })}\n`
}

/** A path as people read it. */
export const shownPath = ({ path }: Location): string => path.split('/').map(shownName).join('/')

/** The shares that somebody can read. */
export const sharesAsJson = (shares: readonly ContentShare[]): string =>
  `${JSON.stringify({ shares: shares.map(({ name, comment }) => ({ name, comment, url: urlOf({ share: name, path: '', isFolder: true }) })) })}\n`
