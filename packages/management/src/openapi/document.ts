/** `/openapi.json`: OpenAPI 3.1 of the table of routes, by the schemas that validate. */

import { z } from 'zod'
import * as s from '../api/schemas.ts'
import { type Route, routes } from '../api/routes.ts'
import { knownProblemOf, ManagementError } from '../core/problems.ts'

type Json = { readonly [name: string]: unknown }

/** The document, as what `JSON.stringify` makes text of. */
export function openApiDocument(version: string): Json {
  const schemas = new Schemas()
  const paths: Record<string, Record<string, Json>> = {}
  for (const [id, route] of Object.entries<Route>(routes)) {
    const path = (paths[route.path] ??= {})
    path[route.method.toLowerCase()] = operationOf(id, route, schemas)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version,
      description:
        'Management of a node. What takes time is answered at once with 202 and a receipt; what becomes of it comes on the one event stream of the session, GET /v1/events, and is kept at /v1/operations/ID.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }, { cookie: [] }],
    paths: { ...paths, ...plainPaths },
    components: {
      schemas: { ...schemas.all, ...eventSchemas(schemas) },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'The token that POST /v1/login gives' },
        cookie: {
          type: 'apiKey',
          in: 'cookie',
          name: 'holdfast_session',
          description: 'Of a login with "cookie": true; X-CSRF-Token goes with what changes something',
        },
      },
      responses: {
        Problem: { description: 'RFC 9457; scripts go by its code', content: { 'application/problem+json': { schema: schemas.of(s.Problem) } } },
      },
    },
  }
}

/** Schemas as OpenAPI has them: those with an `id` stand under `components`. */
class Schemas {
  readonly all: Record<string, unknown> = {}

  /** `io`: a value as it is sent, or (of a query) as it is after it was read. */
  of(schema: z.ZodType, io: 'input' | 'output' = 'input'): Json {
    const { $schema: _, $defs = {}, ...own } = z.toJSONSchema(schema, { io, target: 'draft-2020-12', override }) as Json & { readonly $defs?: Json }
    for (const [id, definition] of Object.entries($defs)) this.all[id] = withComponents(definition)
    return withComponents(own) as Json
  }
}

/** The pattern of a time says in 300 characters what its format says. */
function override({ jsonSchema }: { readonly jsonSchema: { format?: string; pattern?: string } }): void {
  if (jsonSchema.format === 'date-time') delete jsonSchema.pattern
}

function withComponents(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withComponents)
  if (typeof schema !== 'object' || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name === '$ref' && typeof value === 'string' ? value.replace('#/$defs/', '#/components/schemas/') : withComponents(value),
    ]),
  )
}

function operationOf(id: string, route: Route, schemas: Schemas): Json {
  return {
    operationId: id,
    summary: route.summary,
    tags: [id.split('.')[0]],
    'x-access': route.access,
    ...(route.access === 'public' && { security: [] }),
    parameters: [...pathParameters(route), ...queryParameters(route, schemas), ...headerParameters(route)],
    ...(route.body && { requestBody: { required: true, content: { 'application/json': { schema: schemas.of(route.body) } } } }),
    responses: { ...successOf(route, schemas), ...problemsOf(route), default: { $ref: '#/components/responses/Problem' } },
  }
}

const pathParameters = ({ path }: Route): readonly Json[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))

function queryParameters({ query }: Route, schemas: Schemas): readonly Json[] {
  if (query === undefined) return []
  const { properties = {}, required = [] } = schemas.of(query, 'output') as { readonly properties?: Json; readonly required?: readonly string[] }
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', required: required.includes(name), schema }))
}

/** `csrf` is not asked of those who have a token. */
function headerParameters({ kind, method, access }: Route): readonly Json[] {
  const header = (name: string, description: string): Json => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string', maxLength: 200 },
  })
  return [
    ...(kind === 'operation'
      ? [
          header('Idempotency-Key', 'The same key is the same operation, for 24 hours'),
          header('Prefer', 'RFC 7240: respond-async, wait=N; waits up to N seconds for the outcome'),
        ]
      : []),
    ...(kind === 'stream' ? [header('Last-Event-ID', 'Goes on after this event')] : []),
    ...(method !== 'GET' && access !== 'public' ? [header('X-CSRF-Token', 'Of a session in a cookie: its csrf value')] : []),
  ]
}

const jsonContent = (schema: Json): Json => ({ 'application/json': { schema } })

function successOf({ kind, result, path }: Route, schemas: Schemas): Json {
  if (kind === 'stream') {
    return {
      200: {
        description:
          'Server-Sent Events: operation, resync, overview, end; ends by closing. data is JSON: see OperationEvent, ResyncEvent, Overview, EndEvent',
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      },
    }
  }
  const nothing = result === undefined || result instanceof z.ZodNull
  const outcome = nothing
    ? { 204: { description: 'Done' } }
    : { [isMade(kind, path, result) ? 201 : 200]: { description: 'Done', content: jsonContent(schemas.of(result)) } }
  if (kind === 'answer') return outcome
  const receipt = {
    description: 'Received; what becomes of it comes on the event stream',
    headers: { Location: { description: 'The operation', schema: { type: 'string' } } },
    content: jsonContent(schemas.of(s.Receipt)),
  }
  return { 202: receipt, ...outcome }
}

/** Whether the outcome is something new, under a collection. */
const isMade = (kind: string, path: string, result: z.ZodType | undefined): boolean =>
  kind === 'operation' && result !== undefined && !path.endsWith('}')

function problemsOf({ problems = [] }: Route): Json {
  const byStatus = Map.groupBy(problems, code => knownProblemOf(new ManagementError(code, ''))?.status ?? 500)
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      { description: codes.join(', '), content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
    ]),
  )
}

/** What comes on the stream stands in no route. */
function eventSchemas(schemas: Schemas): Json {
  for (const schema of [s.OperationEvent, s.ResyncEvent, s.EndEvent]) schemas.of(schema)
  return schemas.all
}

const plainPath = (summary: string, type: string, security: readonly Json[] | undefined, more: Json = {}): Json => ({
  get: {
    summary,
    tags: ['node'],
    'x-access': security === undefined ? 'session' : 'public',
    ...(security && { security }),
    responses: { 200: { description: 'Yes', content: { [type]: { schema: {} } } }, ...more },
  },
})

/** What is served beside the table. */
const plainPaths: Json = {
  '/healthz': plainPath('The process answers', 'application/json', []),
  '/readyz': plainPath('The node takes work', 'application/json', [], { 503: { $ref: '#/components/responses/Problem' } }),
  '/metrics': plainPath('Prometheus metrics', 'text/plain', undefined, { default: { $ref: '#/components/responses/Problem' } }),
  '/openapi.json': plainPath('This document', 'application/json', undefined, { default: { $ref: '#/components/responses/Problem' } }),
}
