/** What a request asks for, checked by the schemas of its route. */

import type { z } from 'zod'
import type { Asked, RouteId } from '../api/routes.ts'
import { ManagementError, type Problem } from '../core/problems.ts'
import type { HttpRequest } from '@holdfast/http'
import type { Match } from './match.ts'

type FieldProblems = NonNullable<Problem['errors']>

/** `INVALID`, with what is wrong with each field. */
export class InvalidError extends ManagementError {
  readonly errors: FieldProblems
  constructor(errors: FieldProblems) {
    const [first, ...more] = errors
    const detail = first === undefined ? 'The request is not as it should be.' : `${first.field === '' ? '' : `${first.field}: `}${first.message}`
    super('INVALID', more.length === 0 ? detail : `${detail} (and ${more.length} more)`)
    this.errors = errors
  }
}

/** Throws `INVALID`, `MALFORMED` for what is no JSON, `UNSUPPORTED_MEDIA_TYPE`. */
export function askedOf({ route, parameters }: Match, request: HttpRequest): Asked<RouteId> {
  const query = queryOf(route.query, request.query)
  const body = bodyOf(route.body, request)
  const errors = [...query.errors, ...body.errors]
  if (errors.length > 0) throw new InvalidError(errors)
  // The schemas are those of the route: what they give is what the route's handler takes.
  return { parameters, query: query.value, body: body.value } as Asked<RouteId>
}

interface Checked {
  readonly value: unknown
  readonly errors: FieldProblems
}

function queryOf(schema: z.ZodType | undefined, text: string): Checked {
  const fields = new Map<string, string>()
  const errors: FieldProblems = []
  for (const [name, value] of new URLSearchParams(text)) {
    if (fields.has(name)) errors.push({ field: name, message: 'given twice' })
    if (schema === undefined) errors.push({ field: name, message: 'nothing is asked for in the query here' })
    fields.set(name, value)
  }
  if (errors.length > 0 || schema === undefined) return { value: undefined, errors }
  return checked(schema, Object.fromEntries(fields))
}

function bodyOf(schema: z.ZodType | undefined, { content, headers }: HttpRequest): Checked {
  if (schema === undefined) {
    if (content.length > 0) throw new ManagementError('MALFORMED', 'A request like this has no content.')
    return { value: undefined, errors: [] }
  }
  const type = headers.get('content-type')
  if (!/^application\/json[ \t]*(?:;|$)/i.test(type ?? '')) {
    throw new ManagementError('UNSUPPORTED_MEDIA_TYPE', `The content has to be application/json${type === undefined ? '' : `, not ${type}`}.`)
  }
  return checked(schema, parse(content))
}

function parse(content: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content))
  } catch (error) {
    throw new ManagementError('MALFORMED', 'The content is not JSON.', { cause: error })
  }
}

function checked(schema: z.ZodType, value: unknown): Checked {
  const result = schema.safeParse(value)
  return result.success ? { value: result.data, errors: [] } : { value: undefined, errors: result.error.issues.flatMap(problemsOf) }
}

/** An unknown key is a field of its own. */
function problemsOf(issue: z.core.$ZodIssue): FieldProblems {
  const at = issue.path.map(String)
  const field = (...more: readonly string[]): string => [...at, ...more].join('.').slice(0, 200)
  if (issue.code === 'unrecognized_keys') return issue.keys.slice(0, 10).map(key => ({ field: field(key), message: 'there is no such field' }))
  return [{ field: field(), message: issue.message }]
}
