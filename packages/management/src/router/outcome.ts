/** What answers the request for an operation: a receipt at once, or the outcome for who prefers to wait for it. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Operation, OperationReader } from '../core/core.ts'
import { type HttpResponse, json, problemResponse } from '../http/response.ts'
import { appliedHeader, type Preference } from './prefer.ts'

/** Between two looks at an operation that is waited for. */
const lookMs = { first: 10, most: 250 } as const

const pathOf = ({ id }: Operation): string => `/v1/operations/${id}`

/** 202: the operation is in the store. */
export const receiptOf = (operation: Operation, preference: Preference): HttpResponse =>
  json(202, { received: true, operation: operation.id }, { Location: pathOf(operation), ...appliedHeader(preference) })

/** The answer as if there were no operation in between; undefined where it has not ended in time, or where nobody waits any more. */
export async function outcomeOf(waiting: {
  readonly operation: Operation
  readonly operations: OperationReader
  readonly waitMs: number
  readonly signal: AbortSignal | undefined
}): Promise<HttpResponse | undefined> {
  const { operation, operations, waitMs, signal } = waiting
  if (waitMs === 0) return undefined
  const until = performance.now() + waitMs
  for (let pauseMs: number = lookMs.first; ; pauseMs = Math.min(2 * pauseMs, lookMs.most)) {
    const now = await operations.get(operation.id)
    const answer = now && endOf(now, { 'Preference-Applied': `wait=${waitMs / 1000}` })
    const leftMs = until - performance.now()
    if (answer !== undefined || leftMs <= 0 || signal?.aborted) return answer
    await sleep(Math.min(pauseMs, leftMs))
  }
}

function endOf(operation: Operation, headers: Readonly<Record<string, string>>): HttpResponse | undefined {
  const { state, kind, target, result, problem, id } = operation
  switch (state) {
    case 'succeeded':
      if (result === null || result === undefined) return { status: 204, body: '', headers }
      return kind.endsWith('.create') ? json(201, result, { ...headers, Location: target }) : json(200, result, headers)
    case 'failed':
    case 'cancelled':
      return problemResponse({ ...(problem ?? cancelled), operation: id }, headers)
    default:
      return undefined
  }
}

const cancelled = { type: 'about:blank', title: 'Cancelled', status: 409, detail: 'The operation was cancelled.', code: 'CANCELLED' } as const
