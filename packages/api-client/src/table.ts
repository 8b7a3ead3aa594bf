/**
 * The API's table as far as a client needs it: how each route is asked. The schemas stay with the server, which validates, so that no page has to
 * load them; the types say that no line here differs from the table of `@holdfast/management/api`.
 */

import type { Asked, OperationKind, ResultOf, RouteId, Routes, schemas } from '@holdfast/management/api'

type Output<Schema> = Schema extends { readonly _zod: { readonly output: infer Value } } ? Value : never

/** Something that takes time, as the API shows it. */
export type Operation = Output<typeof schemas.Operation>
/** What the event stream tells of an operation. */
export type OperationEvent = Output<typeof schemas.OperationEvent>
/** What lies between is gone; the state of each operation of the session follows. */
export type ResyncEvent = Output<typeof schemas.ResyncEvent>
/** How much is going on, as running totals. */
export type Overview = Output<typeof schemas.Overview>
/** The answer to what takes time, before it is done. */
export type Receipt = Output<typeof schemas.Receipt>
/** The session of whoever asks. */
export type OwnSession = Output<typeof schemas.OwnSession>
/** What `POST /v1/login` answers. */
export type Login = Output<typeof schemas.Login>
/** RFC 9457, with the API's `code`. */
export type Problem = Output<typeof schemas.Problem>

type Takes<Id extends RouteId> = Routes[Id] extends { readonly body: unknown }
  ? 'body'
  : Routes[Id] extends { readonly query: unknown }
    ? 'query'
    : 'nothing'

/** How a route is asked: `takes` is where what is asked for goes, besides the parameters of the path. */
export interface Line<Id extends RouteId = RouteId> {
  readonly method: Routes[Id]['method']
  readonly path: Routes[Id]['path']
  readonly kind: Routes[Id]['kind']
  readonly takes: Takes<Id>
}

/** By `operationId`. */
export const table: { readonly [Id in RouteId]: Line<Id> } = {
  login: { method: 'POST', path: '/v1/login', kind: 'answer', takes: 'body' },
  logout: { method: 'POST', path: '/v1/logout', kind: 'answer', takes: 'nothing' },
  'session.own': { method: 'GET', path: '/v1/session', kind: 'answer', takes: 'nothing' },
  events: { method: 'GET', path: '/v1/events', kind: 'stream', takes: 'query' },
  'operation.list': { method: 'GET', path: '/v1/operations', kind: 'answer', takes: 'query' },
  'operation.show': { method: 'GET', path: '/v1/operations/{id}', kind: 'answer', takes: 'nothing' },
  'operation.cancel': { method: 'DELETE', path: '/v1/operations/{id}', kind: 'answer', takes: 'nothing' },
  'volume.list': { method: 'GET', path: '/v1/volumes', kind: 'answer', takes: 'query' },
  'volume.show': { method: 'GET', path: '/v1/volumes/{name}', kind: 'answer', takes: 'nothing' },
  'volume.map': { method: 'GET', path: '/v1/volumes/{name}/map', kind: 'answer', takes: 'nothing' },
  'volume.create': { method: 'POST', path: '/v1/volumes', kind: 'operation', takes: 'body' },
  'volume.change': { method: 'PATCH', path: '/v1/volumes/{name}', kind: 'operation', takes: 'body' },
  'volume.delete': { method: 'DELETE', path: '/v1/volumes/{name}', kind: 'operation', takes: 'nothing' },
  'snapshot.list': { method: 'GET', path: '/v1/volumes/{name}/snapshots', kind: 'answer', takes: 'query' },
  'snapshot.create': { method: 'POST', path: '/v1/volumes/{name}/snapshots', kind: 'operation', takes: 'body' },
  'snapshot.delete': { method: 'DELETE', path: '/v1/volumes/{name}/snapshots/{snapshot}', kind: 'operation', takes: 'nothing' },
  'share.list': { method: 'GET', path: '/v1/shares', kind: 'answer', takes: 'query' },
  'share.show': { method: 'GET', path: '/v1/shares/{name}', kind: 'answer', takes: 'nothing' },
  'share.create': { method: 'POST', path: '/v1/shares', kind: 'operation', takes: 'body' },
  'share.change': { method: 'PATCH', path: '/v1/shares/{name}', kind: 'operation', takes: 'body' },
  'share.delete': { method: 'DELETE', path: '/v1/shares/{name}', kind: 'operation', takes: 'nothing' },
  'user.list': { method: 'GET', path: '/v1/users', kind: 'answer', takes: 'query' },
  'user.show': { method: 'GET', path: '/v1/users/{name}', kind: 'answer', takes: 'nothing' },
  'user.create': { method: 'POST', path: '/v1/users', kind: 'operation', takes: 'body' },
  'user.change': { method: 'PATCH', path: '/v1/users/{name}', kind: 'operation', takes: 'body' },
  'user.delete': { method: 'DELETE', path: '/v1/users/{name}', kind: 'operation', takes: 'nothing' },
  'session.list': { method: 'GET', path: '/v1/sessions', kind: 'answer', takes: 'query' },
  'session.show': { method: 'GET', path: '/v1/sessions/{id}', kind: 'answer', takes: 'nothing' },
  'session.disconnect': { method: 'DELETE', path: '/v1/sessions/{id}', kind: 'operation', takes: 'nothing' },
  'open.list': { method: 'GET', path: '/v1/opens', kind: 'answer', takes: 'query' },
  'open.close': { method: 'DELETE', path: '/v1/opens/{id}', kind: 'operation', takes: 'nothing' },
  overview: { method: 'GET', path: '/v1/overview', kind: 'answer', takes: 'nothing' },
  node: { method: 'GET', path: '/v1/node', kind: 'answer', takes: 'nothing' },
  'audit.list': { method: 'GET', path: '/v1/audit', kind: 'answer', takes: 'query' },
}

/** Routes that are called; the stream is read by `events`. */
export type CallableId = Exclude<RouteId, 'events'>
/** Routes that answer with a page of a list. */
export type ListId = Extract<RouteId, `${string}.list`>
/** What is on such a page. */
export type ItemOf<Id extends ListId> = ResultOf<Id> extends { readonly items: readonly (infer Item)[] } ? Item : never

type Names<Path extends string> = Path extends `${string}{${string}}${infer Rest}` ? [name: string, ...rest: Names<Rest>] : []
type Input<Id extends RouteId> = Takes<Id> extends 'body' ? [body: Asked<Id>['body']] : Takes<Id> extends 'query' ? [query?: Asked<Id>['query']] : []

/** What is said in a call, in order: what is left open in the path, then the body or the query, where there is one. */
export type Asking<Id extends RouteId> = [...names: Names<Routes[Id]['path']>, ...input: Input<Id>]

/** Of each call. */
export interface CallOptions {
  /** Gives up waiting; rejects with its reason. An operation that has begun goes on. */
  readonly signal?: AbortSignal
}

/** Of a call that begins an operation. */
export interface OperationOptions extends CallOptions {
  /** False: resolves to the receipt at once; `wait` of the client waits for the rest. */
  readonly wait?: boolean
  /** Called with each news of the operation, its end included. */
  readonly onProgress?: (news: OperationNews) => void
  /** Called with the receipt. */
  readonly onReceipt?: (receipt: Receipt) => void
  /** The `Idempotency-Key`: the same operation again for the same key, within 24 h. A new one for each call where undefined. */
  readonly key?: string
}

/** How far an operation is: an event, or its record. */
export type OperationNews = Omit<OperationEvent, 'id' | 'at'>

/** A route as a function. */
export type Call<Id extends CallableId> = Id extends OperationKind ? OperationCall<Id> : AnswerCall<Id>

/** Resolves to what the operation comes to, or to the receipt. Rejects with `ApiError`. */
export interface OperationCall<Id extends OperationKind> {
  (...asked: [...Asking<Id>, options: OperationOptions & { readonly wait: false }]): Promise<Receipt>
  (...asked: [...Asking<Id>, options?: OperationOptions & { readonly wait?: true }]): Promise<ResultOf<Id>>
}

/** Resolves to the answer. Rejects with `ApiError`. */
export type AnswerCall<Id extends CallableId> = (...asked: [...Asking<Id>, options?: CallOptions]) => Promise<ResultOf<Id>>

/** The calls whose id begins so: `volume.create` -> `create`. */
export type Group<Kind extends string> = { readonly [Id in CallableId as Id extends `${Kind}.${infer Verb}` ? Verb : never]: Call<Id> }
