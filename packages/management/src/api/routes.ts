/**
 * The management API as a table: one line says what a request needs, what it may contain and what answers it. The router, `/openapi.json`, the
 * test of who may do what, and the client are made of it.
 */

import { z } from 'zod'
import * as s from './schemas.ts'

/** Who may. `public`: without a login; `session`: whoever is logged in. */
export type Access = 'public' | 'session' | 'viewer' | 'admin'

/** `answer`: at once, with `result`. `operation`: 202 and a receipt; the outcome, a `result`, comes on the event stream. `stream`: the event stream. */
export type RouteKind = 'answer' | 'operation' | 'stream'

/** A line of the table. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** With `{name}` for what is left open. */
  readonly path: string
  readonly kind: RouteKind
  readonly access: Access
  /** For people. */
  readonly summary: string
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  readonly result?: z.ZodType
  /** The `code`s of the problems that it answers with, besides those of every route. */
  readonly problems?: readonly string[]
}

const overviewQuery = z.strictObject({ overview: z.enum(['0', '1']).optional(), after: z.string().max(100).optional() })
const opensQuery = s.PageQuery.extend({
  share: z.string().max(80).optional(),
  user: z.string().max(64).optional(),
  session: z.string().max(100).optional(),
})
const operationsQuery = s.PageQuery.extend({ state: s.OperationState.optional() })
const deleted = z.null()

/** By `operationId`. An operation's `kind` is its id here. */
export const routes = {
  login: {
    method: 'POST',
    path: '/v1/login',
    kind: 'answer',
    access: 'public',
    summary: 'Logs in: a token for scripts, or a cookie for the console',
    body: s.LoginRequest,
    result: s.Login,
    problems: ['WRONG_CREDENTIALS', 'TOO_MANY_ATTEMPTS'],
  },
  logout: { method: 'POST', path: '/v1/logout', kind: 'answer', access: 'session', summary: 'Ends the session; its operations go on' },
  'session.own': { method: 'GET', path: '/v1/session', kind: 'answer', access: 'session', summary: 'Who asks', result: s.OwnSession },
  events: { method: 'GET', path: '/v1/events', kind: 'stream', access: 'session', summary: "The session's one event stream", query: overviewQuery },

  'operation.list': {
    method: 'GET',
    path: '/v1/operations',
    kind: 'answer',
    access: 'viewer',
    summary: 'Operations, the newest first',
    query: operationsQuery,
    result: s.pageOf(s.Operation),
  },
  'operation.show': {
    method: 'GET',
    path: '/v1/operations/{id}',
    kind: 'answer',
    access: 'viewer',
    summary: 'One operation as it is now',
    result: s.Operation,
    problems: ['UNKNOWN_OPERATION'],
  },
  'operation.cancel': {
    method: 'DELETE',
    path: '/v1/operations/{id}',
    kind: 'answer',
    access: 'admin',
    summary: 'Cancels an operation: what it has done is undone',
    result: s.Operation,
    problems: ['UNKNOWN_OPERATION', 'OPERATION_ENDED', 'NOT_CANCELLABLE'],
  },

  'volume.list': {
    method: 'GET',
    path: '/v1/volumes',
    kind: 'answer',
    access: 'viewer',
    summary: 'Block volumes',
    query: s.PageQuery,
    result: s.pageOf(s.Volume),
  },
  'volume.show': {
    method: 'GET',
    path: '/v1/volumes/{name}',
    kind: 'answer',
    access: 'viewer',
    summary: 'One volume',
    result: s.Volume,
    problems: ['UNKNOWN_VOLUME'],
  },
  'volume.map': {
    method: 'GET',
    path: '/v1/volumes/{name}/map',
    kind: 'answer',
    access: 'viewer',
    summary: 'Which of its pages have content',
    result: s.VolumeMap,
    problems: ['UNKNOWN_VOLUME'],
  },
  'volume.create': {
    method: 'POST',
    path: '/v1/volumes',
    kind: 'operation',
    access: 'admin',
    summary: 'Makes a volume: empty, from a snapshot or from an image',
    body: s.VolumeCreate,
    result: s.Volume,
    problems: ['VOLUME_EXISTS', 'UNKNOWN_VOLUME', 'UNKNOWN_SNAPSHOT', 'INVALID_IMAGE', 'NO_SPACE'],
  },
  'volume.change': {
    method: 'PATCH',
    path: '/v1/volumes/{name}',
    kind: 'operation',
    access: 'admin',
    summary: 'Grows a volume, or changes who may use it',
    body: s.VolumeChange,
    result: s.Volume,
    problems: ['UNKNOWN_VOLUME', 'SIZE_TOO_SMALL'],
  },
  'volume.delete': {
    method: 'DELETE',
    path: '/v1/volumes/{name}',
    kind: 'operation',
    access: 'admin',
    summary: 'Deletes a volume, its snapshots and its bytes',
    result: deleted,
    problems: ['UNKNOWN_VOLUME'],
  },
  'snapshot.list': {
    method: 'GET',
    path: '/v1/volumes/{name}/snapshots',
    kind: 'answer',
    access: 'viewer',
    summary: 'Snapshots of a volume',
    query: s.PageQuery,
    result: s.pageOf(s.Snapshot),
    problems: ['UNKNOWN_VOLUME'],
  },
  'snapshot.create': {
    method: 'POST',
    path: '/v1/volumes/{name}/snapshots',
    kind: 'operation',
    access: 'admin',
    summary: 'Keeps a volume as it is now',
    body: s.SnapshotCreate,
    result: s.Snapshot,
    problems: ['UNKNOWN_VOLUME', 'SNAPSHOT_EXISTS'],
  },
  'snapshot.delete': {
    method: 'DELETE',
    path: '/v1/volumes/{name}/snapshots/{snapshot}',
    kind: 'operation',
    access: 'admin',
    summary: 'Deletes a snapshot',
    result: deleted,
    problems: ['UNKNOWN_VOLUME', 'UNKNOWN_SNAPSHOT'],
  },

  'share.list': {
    method: 'GET',
    path: '/v1/shares',
    kind: 'answer',
    access: 'viewer',
    summary: 'SMB shares',
    query: s.PageQuery,
    result: s.pageOf(s.Share),
  },
  'share.show': {
    method: 'GET',
    path: '/v1/shares/{name}',
    kind: 'answer',
    access: 'viewer',
    summary: 'One share',
    result: s.Share,
    problems: ['UNKNOWN_SHARE'],
  },
  'share.create': {
    method: 'POST',
    path: '/v1/shares',
    kind: 'operation',
    access: 'admin',
    summary: 'Shares a folder of the node',
    body: s.ShareCreate,
    result: s.Share,
    problems: ['SHARE_EXISTS', 'INVALID_PATH', 'INVALID_OPTION'],
  },
  'share.change': {
    method: 'PATCH',
    path: '/v1/shares/{name}',
    kind: 'operation',
    access: 'admin',
    summary: 'Changes a share',
    body: s.ShareChange,
    result: s.Share,
    problems: ['UNKNOWN_SHARE', 'SHARE_CONFIGURED', 'INVALID_PATH', 'INVALID_OPTION'],
  },
  'share.delete': {
    method: 'DELETE',
    path: '/v1/shares/{name}',
    kind: 'operation',
    access: 'admin',
    summary: 'Ends a share; its files stay',
    result: deleted,
    problems: ['UNKNOWN_SHARE', 'SHARE_CONFIGURED'],
  },

  'user.list': { method: 'GET', path: '/v1/users', kind: 'answer', access: 'viewer', summary: 'Users', query: s.PageQuery, result: s.pageOf(s.User) },
  'user.show': {
    method: 'GET',
    path: '/v1/users/{name}',
    kind: 'answer',
    access: 'viewer',
    summary: 'One user',
    result: s.User,
    problems: ['UNKNOWN_USER'],
  },
  'user.create': {
    method: 'POST',
    path: '/v1/users',
    kind: 'operation',
    access: 'admin',
    summary: 'Adds a user',
    body: s.UserCreate,
    result: s.User,
    problems: ['USER_EXISTS', 'INVALID_PASSWORD'],
  },
  'user.change': {
    method: 'PATCH',
    path: '/v1/users/{name}',
    kind: 'operation',
    access: 'admin',
    summary: 'Changes a password or a role, or locks a user out',
    body: s.UserChange,
    result: s.User,
    problems: ['UNKNOWN_USER', 'LAST_ADMIN', 'INVALID_PASSWORD'],
  },
  'user.delete': {
    method: 'DELETE',
    path: '/v1/users/{name}',
    kind: 'operation',
    access: 'admin',
    summary: 'Removes a user and ends their sessions',
    result: deleted,
    problems: ['UNKNOWN_USER', 'LAST_ADMIN'],
  },

  'session.list': {
    method: 'GET',
    path: '/v1/sessions',
    kind: 'answer',
    access: 'viewer',
    summary: 'Sessions of SMB and iSCSI clients',
    query: s.PageQuery,
    result: s.pageOf(s.ClientSession),
  },
  'session.show': {
    method: 'GET',
    path: '/v1/sessions/{id}',
    kind: 'answer',
    access: 'viewer',
    summary: 'One session',
    result: s.ClientSession,
    problems: ['UNKNOWN_SESSION'],
  },
  'session.disconnect': {
    method: 'DELETE',
    path: '/v1/sessions/{id}',
    kind: 'operation',
    access: 'admin',
    summary: 'Ends a session',
    result: deleted,
    problems: ['UNKNOWN_SESSION'],
  },
  'open.list': {
    method: 'GET',
    path: '/v1/opens',
    kind: 'answer',
    access: 'viewer',
    summary: 'Open files',
    query: opensQuery,
    result: s.pageOf(s.Open),
  },
  'open.close': {
    method: 'DELETE',
    path: '/v1/opens/{id}',
    kind: 'operation',
    access: 'admin',
    summary: 'Closes an open file, whatever its client does',
    result: deleted,
    problems: ['UNKNOWN_OPEN'],
  },

  overview: {
    method: 'GET',
    path: '/v1/overview',
    kind: 'answer',
    access: 'viewer',
    summary: 'How much is going on, as running totals',
    result: s.Overview,
  },
  node: { method: 'GET', path: '/v1/node', kind: 'answer', access: 'viewer', summary: 'The node', result: s.NodeView },
  'audit.list': {
    method: 'GET',
    path: '/v1/audit',
    kind: 'answer',
    access: 'admin',
    summary: 'Who did what, the newest first',
    query: s.PageQuery,
    result: s.pageOf(s.AuditEntry),
  },
} as const satisfies Readonly<Record<string, Route>>

/** `operationId`s. */
export type RouteId = keyof typeof routes
/** The table, as a type. */
export type Routes = typeof routes

/** Names of what is left open in a path. */
export type PathParameters<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}` ? Name | PathParameters<Rest> : never
/** What is parsed has no key without a value. */
type Exact<T> = T extends object ? { [Key in keyof T]: Exclude<T[Key], undefined> } : T
type Parsed<T> = T extends z.ZodType ? z.output<T> : undefined

/** What a handler gets of a valid request. */
export interface Asked<Id extends RouteId> {
  readonly parameters: Readonly<Record<PathParameters<Routes[Id]['path']>, string>>
  readonly query: Exact<Parsed<Routes[Id] extends { readonly query: infer Q } ? Q : undefined>>
  readonly body: Exact<Parsed<Routes[Id] extends { readonly body: infer B } ? B : undefined>>
}
/** What answers a request, or what an operation comes to. */
export type ResultOf<Id extends RouteId> = Routes[Id] extends { readonly result: infer R } ? Parsed<R> : undefined

/** Routes that answer with a receipt. */
export type OperationKind = { [Id in RouteId]: Routes[Id]['kind'] extends 'operation' ? Id : never }[RouteId]
/** Routes that the node answers at once; the others are about the API itself. */
export type QueryId = Exclude<
  { [Id in RouteId]: Routes[Id]['kind'] extends 'answer' ? Id : never }[RouteId],
  'login' | 'logout' | 'session.own' | 'operation.list' | 'operation.show' | 'operation.cancel' | 'audit.list'
>
