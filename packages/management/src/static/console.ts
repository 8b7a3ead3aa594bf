/** The console's page and what it loads, over HTTP. They say nothing about the node: whoever sees them has to log in. */

import type { HttpRequest } from '@holdfast/http'
import type { HttpResponse } from '../http/response.ts'
import { codedContent, readStaticFiles, type StaticFile } from './files.ts'

/** Nothing but what the node itself serves: no script in the page, nothing from elsewhere, in nobody's frame. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

const pageHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy': contentSecurityPolicy,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
}

const notBuilt: HttpResponse = {
  status: 404,
  contentType: 'text/plain; charset=utf-8',
  body: 'The console has not been built. In a clone of the repository: npm ci && npm run build -w @holdfast/console\nThe API is at /v1, its description at /openapi.json.\n',
}

/** Answers requests for files; undefined where there is none of that path. */
export class ConsoleFiles {
  readonly #folder: URL | undefined
  #files: Promise<ReadonlyMap<string, StaticFile> | undefined> | undefined

  /** The folder may come to be later. */
  constructor(folder: URL | undefined) {
    this.#folder = folder
  }

  async answer({ method, path, headers }: HttpRequest): Promise<HttpResponse | undefined> {
    if (method !== 'GET' && method !== 'HEAD') return undefined
    const files = await this.#read()
    if (files === undefined) return path === '/' ? notBuilt : undefined
    const file = files.get(path)
    return file && respond(file, headers)
  }

  async #read(): Promise<ReadonlyMap<string, StaticFile> | undefined> {
    if (this.#folder === undefined) return undefined
    this.#files ??= readStaticFiles(this.#folder)
    const files = await this.#files
    if (files === undefined) this.#files = undefined
    return files
  }
}

function respond(file: StaticFile, headers: HttpRequest['headers']): HttpResponse {
  const { etag, isImmutable, contentType } = file
  const { coding, content } = codedContent(file, headers.get('accept-encoding'))
  const caching = {
    // Representations that differ have different tags (RFC 9110 8.8.3.3).
    ETag: coding === undefined ? etag : `${etag.slice(0, -1)}-${coding}"`,
    'Cache-Control': isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    Vary: 'Accept-Encoding',
  }
  if (matches(headers.get('if-none-match'), caching.ETag)) return { status: 304, body: '', headers: caching }
  return { status: 200, contentType, body: content, headers: { ...caching, ...(coding && { 'Content-Encoding': coding }), ...pageHeaders } }
}

/** RFC 9110 13.1.2: by weak comparison. */
const matches = (header: string | undefined, etag: string): boolean =>
  header !== undefined && (header.trim() === '*' || header.split(',').some(tag => tag.trim().replace(/^W\//, '') === etag))
