/** Requests to one node: addresses, credentials, and trying again. */

import { ApiError, errorOfResponse } from './error.ts'
import { type CallableId, table } from './table.ts'
import { backoffMs, delay } from './timing.ts'
import type { RouteId } from '@holdfast/management/api'

/** What a request is sent with: the global `fetch`, or what takes another way. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** Who asks, and how they show it. */
export interface Credentials {
  readonly token?: string | undefined
  /** Of a session in a cookie: goes with what changes something. */
  readonly csrf?: string | undefined
}

/** Where to, and how. */
export interface RequestSettings {
  /** `http://127.0.0.1:8080` */
  readonly url: string
  readonly fetch: Fetch
  readonly credentials: Credentials
  /** This long a request is repeated while nobody answers, or the node says that it cannot now. */
  readonly patienceMs: number
}

/** A route with what is asked of it. */
export interface ApiRequest {
  readonly id: RouteId
  /** What is left open in the path, in order. */
  readonly names: readonly string[]
  readonly input?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

/** An answer that takes longer is taken for none. */
const answerMs = 30_000
/** The node, or what stands before it, cannot now. */
const passing: ReadonlySet<number> = new Set([0, 429, 502, 503, 504])

/** Sends a request once. Resolves to the answer, whatever its status; rejects with `UNREACHABLE`, or with the signal's reason. */
export async function send(settings: RequestSettings, { id, names, input, headers = {}, signal }: ApiRequest): Promise<Response> {
  const { method, path, takes } = table[id]
  let at = 0
  const url = new URL(
    path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(names[at++] ?? '')),
    settings.url,
  )
  if (takes === 'query') for (const [name, value] of Object.entries(input ?? {})) if (value !== undefined) url.searchParams.set(name, String(value))
  const { token, csrf } = settings.credentials
  const init: RequestInit = {
    method,
    credentials: 'same-origin',
    redirect: 'error',
    cache: 'no-store',
    headers: {
      ...headers,
      ...(takes === 'body' && { 'Content-Type': 'application/json' }),
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(csrf !== undefined && method !== 'GET' && { 'X-CSRF-Token': csrf }),
    },
    ...(takes === 'body' && { body: JSON.stringify(input) }),
    ...(signal && { signal }),
  }
  try {
    return await settings.fetch(url.href, init)
  } catch (error) {
    signal?.throwIfAborted()
    throw unreachable(settings.url, error)
  }
}

/** `fetch` rejects with a TypeError that says nothing; what happened is its cause. */
export function unreachable(url: string, error: unknown): ApiError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const { code, message } = cause instanceof Error ? (cause as Error & { readonly code?: unknown }) : { code: undefined, message: String(cause) }
  const why = typeof code === 'string' ? code : message
  return new ApiError(`nobody answers at ${url}: ${why}`, { code: 'UNREACHABLE', status: 0 }, { cause: error })
}

/** Asks until there is an answer, and resolves to what is in it. */
export async function ask(settings: RequestSettings, request: ApiRequest & { readonly id: CallableId }): Promise<unknown> {
  const until = performance.now() + settings.patienceMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await askOnce(settings, request)
    } catch (error) {
      if (!(error instanceof ApiError) || !passing.has(error.status)) throw error
      const waitMs = Math.max(backoffMs(attempt), (error.retryAfterSeconds ?? 0) * 1000)
      if (performance.now() + waitMs > until) throw error
      await delay(waitMs, request.signal)
    }
  }
}

async function askOnce(settings: RequestSettings, request: ApiRequest): Promise<unknown> {
  const late = AbortSignal.timeout(answerMs)
  const signal = request.signal === undefined ? late : AbortSignal.any([request.signal, late])
  try {
    const response = await send(settings, { ...request, signal })
    if (!response.ok) throw await errorOfResponse(response)
    return valueOf(await response.text())
  } catch (error) {
    request.signal?.throwIfAborted()
    // A connection may also end within an answer.
    throw error instanceof ApiError ? error : unreachable(settings.url, error)
  }
}

function valueOf(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text)
  } catch (error) {
    throw new ApiError('the answer is no JSON: whoever answers is no Holdfast', { code: 'UNEXPECTED_ANSWER', status: 200 }, { cause: error })
  }
}
