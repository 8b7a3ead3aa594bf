/** Conditional requests (RFC 9110 13), for what is read. */

import { parseHttpDate } from './date.ts'

/** What a representation is known by. */
export interface Validators {
  /** Strong, in its quotation marks (RFC 9110 8.8.3). */
  readonly etag: string
  /** Seconds since 1970; undefined where there is no such time. */
  readonly lastModified?: number | undefined
}

/** Header fields by name, in lower case. */
export type Fields = Pick<ReadonlyMap<string, string>, 'get'>

/** What becomes of a GET or HEAD: it is answered, with 304 (Not Modified), or with 412 (Precondition Failed). */
export type Outcome = 'answer' | 'not-modified' | 'failed'

/** The preconditions of a GET or HEAD in their order (RFC 9110 13.2.2); `undefined`: there is nothing of that name. */
export function evaluateConditions(fields: Fields, current: Validators | undefined): Outcome {
  const ifMatch = fields.get('if-match')
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, current, isSameStrong)) return 'failed'
  } else if (isAfter(current?.lastModified, fields.get('if-unmodified-since')) === true) return 'failed'
  const ifNoneMatch = fields.get('if-none-match')
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, current, isSameWeak) ? 'not-modified' : 'answer'
  return isAfter(current?.lastModified, fields.get('if-modified-since')) === false ? 'not-modified' : 'answer'
}

/**
 * Whether Range counts (RFC 9110 13.1.5): without If-Range it does, else where that is the validator of now. A date is only one for what had not
 * changed for a second before it was told (8.8.2.2), which is known of what is older than `nowMs` by more.
 */
export function rangeApplies(fields: Fields, current: Validators, nowMs: number): boolean {
  const ifRange = fields.get('if-range')
  if (ifRange === undefined) return true
  if (ifRange.includes('"')) return isSameStrong(ifRange, current.etag)
  const { lastModified } = current
  return lastModified !== undefined && parseHttpDate(ifRange, nowMs) === lastModified && lastModified + 1 < nowMs / 1000
}

const entityTag = /[\t ]*,?[\t ]*((?:W\/)?"[!#-~\u0080-\u00ff]*")[\t ]*(?:,|$)/y

/** Comparisons of RFC 9110 8.8.3.2; ours is never weak. */
const isSameStrong = (tag: string, ours: string): boolean => tag === ours
const isSameWeak = (tag: string, ours: string): boolean => tag === ours || tag === `W/${ours}`

/** Whether one of a list of entity tags is the current one; `*` is any that there is. What is malformed ends the list. */
function matches(list: string, current: Validators | undefined, isSame: (tag: string, ours: string) => boolean): boolean {
  if (current === undefined) return false
  if (list === '*') return true
  entityTag.lastIndex = 0
  for (let found = entityTag.exec(list); found !== null; found = entityTag.exec(list)) if (isSame(found[1], current.etag)) return true
  return false
}

/** Undefined where either is no date: the field is ignored (RFC 9110 13.1.3, 13.1.4). */
function isAfter(lastModified: number | undefined, field: string | undefined): boolean | undefined {
  const date = field === undefined || lastModified === undefined ? undefined : parseHttpDate(field)
  return date === undefined ? undefined : lastModified! > date
}
