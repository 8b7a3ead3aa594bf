/** What is answered to whom: shares, folders and files as resources (RFC 9110). */

import { contentRange, evaluateConditions, type Fields, rangeApplies, readRanges, reasonOf, type ResponseFields } from '@holdfast/http'
import { FsError, type FsErrorCode, type MaybePromise } from '@holdfast/storage'
import { type Answer, bareAnswer, partsOfFile, textAnswer, wholeFile } from './answer.ts'
import { readEntries } from './listing/entries.ts'
import { folderAsHtml, type Order, pagePolicy, problemAsHtml, sharesAsHtml, sortKeys } from './listing/html.ts'
import { folderAsJson, sharesAsJson } from './listing/json.ts'
import { type Location, Places, urlOf } from './location.ts'
import { type OpenFile, type OpenFiles, shareFields } from './open-files.ts'
import type { ContentAccounts, ContentShare, ContentShares, Reader } from './shares.ts'

/** A request whose sender is known. */
export interface ContentRequest {
  readonly method: string
  readonly target: string
  /** Undefined where there are none but those that say how a message is framed. */
  readonly fields: Fields
  readonly reader: Reader
}

/** What the answers of a worker are made of. */
export interface SiteOptions {
  readonly shares: ContentShares
  readonly accounts: Pick<ContentAccounts, 'nobody'>
  readonly files: OpenFiles
  /** Of the challenge (RFC 7617 2). */
  readonly realm: string
  /** What nobody expected. */
  readonly onError: (error: unknown) => void
}

const methods = 'GET, HEAD, OPTIONS'
const listedByDefault = 1000
const listedMax = 10_000

const statuses: Readonly<Partial<Record<FsErrorCode, number>>> = {
  'not-found': 404,
  'path-not-found': 404,
  'not-folder': 404,
  'invalid-name': 404,
  'name-too-long': 404,
  escapes: 404,
  symlink: 404,
  stale: 404,
  'access-denied': 403,
  'too-many-open': 503,
  busy: 503,
}

const details: Readonly<Record<number, string>> = {
  400: 'The request is not one that can be understood.',
  401: 'Say who you are: a user of this server and the password.',
  403: 'You may not read this.',
  404: 'There is nothing here.',
  405: 'Files are read here, by GET and HEAD.',
  412: 'It is not as the request wants it to be.',
  416: 'The file has none of the bytes that were asked for.',
  500: 'Something went wrong here. The server’s log says what.',
  503: 'The server has too much to do. Try again in a moment.',
}

const listingFields: ResponseFields = { Vary: 'Accept', 'Cache-Control': 'private, no-cache', 'X-Content-Type-Options': 'nosniff' }

/** The resources of a worker. */
export class Site {
  readonly #options: SiteOptions
  readonly #places = new Places()

  constructor(options: SiteOptions) {
    this.#options = options
  }

  /** Never throws, never rejects. */
  answer(request: ContentRequest): MaybePromise<Answer> {
    try {
      const answer = this.#answer(request)
      return answer instanceof Promise ? answer.catch((error: unknown) => this.#failed(request, error)) : answer
    } catch (error) {
      return this.#failed(request, error)
    }
  }

  #answer(request: ContentRequest): MaybePromise<Answer> {
    const { method, reader } = request
    if (method === 'OPTIONS') return bareAnswer(204, { Allow: methods })
    if (method !== 'GET' && method !== 'HEAD') return this.problem(405, request, { Allow: methods })
    const { at, query } = this.#places.find(request.target)
    if (at === undefined) return this.problem(404, request)
    if (at.share === '') return this.#listShares(request, query)
    const share = this.#options.shares.find(at.share)
    if (share?.isPublic !== true) {
      // Who has not logged in is not told which shares there are.
      if (reader === this.#options.accounts.nobody) return this.#challenge(request)
      if (share === undefined) return this.problem(404, request)
      if (!share.admits(reader)) return this.problem(403, request)
    }
    const asked = { request, share, at, query }
    const file = this.#options.files.open(share, at.path)
    return file instanceof Promise ? file.then(opened => this.#answerWith(opened, asked)) : this.#answerWith(file, asked)
  }

  #answerWith(file: OpenFile, asked: Asked): MaybePromise<Answer> {
    let isKept = false
    try {
      const answer = file.isFolder ? this.#folder(file, asked) : this.#file(file, asked)
      if (answer instanceof Promise) {
        isKept = true
        return answer.finally(() => file.release())
      }
      isKept = answer.file === file
      return answer
    } finally {
      if (!isKept) file.release()
    }
  }

  #file(file: OpenFile, { request, at, query }: Asked): Answer {
    const { method, fields, reader } = request
    if (at.isFolder) return this.problem(404, request)
    if (!file.mayBeReadBy(reader)) return this.problem(403, request)
    const outcome = evaluateConditions(fields, file)
    if (outcome === 'failed') return this.problem(412, request, { ETag: file.etag })
    if (outcome === 'not-modified') return bareAnswer(304, notModifiedFields(file))
    const range = method === 'GET' ? fields.get('range') : undefined
    if (range !== undefined && rangeApplies(fields, file, Date.now())) {
      const ranges = readRanges(range, file.sizeBytes)
      if (ranges === 'unsatisfiable') return this.problem(416, request, { 'Content-Range': contentRange(undefined, file.sizeBytes), ETag: file.etag })
      if (ranges !== 'all') return partsOfFile(file, ranges)
    }
    return query === 'download' ? asDownload(file, method === 'HEAD') : wholeFile(file, method === 'HEAD')
  }

  #folder(folder: OpenFile, asked: Asked): MaybePromise<Answer> {
    const { request, share, at, query } = asked
    if (!folder.mayBeReadBy(request.reader)) return this.problem(403, request)
    if (!at.isFolder) {
      const location = `${urlOf({ share: at.share, path: at.path, isFolder: true })}${query === '' ? '' : `?${query}`}`
      return textAnswer(301, {
        fields: { Location: location, 'Content-Type': 'text/plain; charset=utf-8', ...shareFields(share) },
        text: `${location}\n`,
        isHead: request.method === 'HEAD',
      })
    }
    return share.hasActiveContent ? this.#index(folder, asked) : this.#list(folder, asked)
  }

  /** The page that stands for its folder, else what is in the folder. */
  async #index(folder: OpenFile, asked: Asked): Promise<Answer> {
    const { share, at } = asked
    try {
      const path = at.path === '' ? 'index.html' : `${at.path}/index.html`
      const file = await this.#options.files.open(share, path)
      if (!file.isFolder) return await this.#answerWith(file, { ...asked, at: { ...at, path, isFolder: false } })
      file.release()
    } catch (error) {
      if (!(error instanceof FsError) || statuses[error.code] !== 404) throw error
    }
    return this.#list(folder, asked)
  }

  async #list(folder: OpenFile, { request, share, at, query }: Asked): Promise<Answer> {
    const parameters = new URLSearchParams(query)
    const isHead = request.method === 'HEAD'
    const after = parameters.get('after') ?? undefined
    const own = shareFields(share)
    if (wantsJson(request.fields, parameters)) {
      const limit = limitOf(parameters.get('limit'))
      if (limit === undefined) return this.problem(400, request)
      const text = folderAsJson(at, await readEntries(folder, request.reader, { after, limit }), limit)
      return textAnswer(200, { fields: { 'Content-Type': 'application/json', ...listingFields, ...own }, text, isHead })
    }
    const listed = await readEntries(folder, request.reader, { after, limit: listedByDefault })
    return pageAnswer(folderAsHtml(at, listed, orderOf(parameters)), isHead, own)
  }

  #listShares(request: ContentRequest, query: string): Answer {
    const { shares, accounts } = this.#options
    const { reader } = request
    const isNobody = reader === accounts.nobody
    const parameters = new URLSearchParams(query)
    // A name that ends with a dollar sign is for those who know it, as over SMB.
    const shown = shares.list().filter(share => !share.name.endsWith('$') && (share.isPublic || (!isNobody && share.admits(reader))))
    if (isNobody && (shown.length === 0 || parameters.has('login'))) return this.#challenge(request)
    const isHead = request.method === 'HEAD'
    if (!wantsJson(request.fields, parameters)) return pageAnswer(sharesAsHtml(shown, isNobody), isHead)
    return textAnswer(200, { fields: { 'Content-Type': 'application/json', ...listingFields }, text: sharesAsJson(shown), isHead })
  }

  #challenge(request: Pick<ContentRequest, 'method' | 'fields'>): Answer {
    return this.problem(401, request, { 'WWW-Authenticate': `Basic realm="${this.#options.realm}", charset="UTF-8"` })
  }

  /** Says why there is nothing else. */
  problem(
    status: number,
    { method, fields }: Pick<ContentRequest, 'method' | 'fields'>,
    more: ResponseFields = {},
    detail = details[status] ?? '',
  ): Answer {
    const title = `${status} ${reasonOf(status)}`
    const isPage = fields.get('accept')?.includes('text/html') === true
    const type = isPage
      ? { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': pagePolicy }
      : { 'Content-Type': 'text/plain; charset=utf-8' }
    return textAnswer(status, {
      fields: { ...type, 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', ...more },
      text: isPage ? problemAsHtml(title, detail) : `${title}: ${detail}\n`,
      isHead: method === 'HEAD',
    })
  }

  /** The challenge for credentials that are wrong. */
  refuse(request: Pick<ContentRequest, 'method' | 'fields'>): Answer {
    return this.#challenge(request)
  }

  #failed(request: ContentRequest, error: unknown): Answer {
    const status = error instanceof FsError ? (statuses[error.code] ?? 500) : 500
    if (status === 500) this.#options.onError(error)
    return this.problem(status, request)
  }
}

interface Asked {
  readonly request: ContentRequest
  readonly share: ContentShare
  readonly at: Location
  readonly query: string
}

/** Those that a 200 response would have had, and that a cache goes by (RFC 9110 15.4.5). */
const notModifiedFields = ({ fields }: OpenFile): ResponseFields => ({ ETag: fields['ETag'], 'Cache-Control': fields['Cache-Control'] })

/** To be saved under its name (RFC 6266). */
function asDownload(file: OpenFile, isHead: boolean): Answer {
  const whole = wholeFile(file, isHead)
  return { ...whole, head: Buffer.concat([file.wholeHead, Buffer.from('Content-Disposition: attachment\r\n')]) }
}

const pageAnswer = (text: string, isHead: boolean, own: ResponseFields = {}): Answer =>
  textAnswer(200, {
    fields: { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': pagePolicy, ...listingFields, ...own },
    text,
    isHead,
  })

function limitOf(value: string | null): number | undefined {
  if (value === null) return listedByDefault
  const limit = /^\d{1,6}$/.test(value) ? Number(value) : 0
  return limit >= 1 && limit <= listedMax ? limit : undefined
}

function orderOf(parameters: URLSearchParams): Order {
  const by = sortKeys.find(key => key === parameters.get('sort')) ?? 'name'
  return { by, isDescending: parameters.get('order') === 'descending' }
}

/** By `?format=`, else by which of the two Accept prefers (RFC 9110 12.5.1); a page where it does not say. */
function wantsJson(fields: Fields, parameters: URLSearchParams): boolean {
  const format = parameters.get('format')
  if (format !== null) return format === 'json'
  const weights = weightsOf(fields.get('accept') ?? '')
  return (weights.get('application/json') ?? 0) > (weights.get('text/html') ?? 0)
}

function weightsOf(accept: string): ReadonlyMap<string, number> {
  return new Map(
    accept.split(',').map(range => {
      const [type = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase())
      const weight = parameters.find(parameter => parameter.startsWith('q='))
      return [type, weight === undefined ? 1 : Number(weight.slice(2)) || 0]
    }),
  )
}
