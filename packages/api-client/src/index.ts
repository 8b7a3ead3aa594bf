/** A typed client of the management API. Nothing here needs Node; `@holdfast/api-client/node` knows Unix sockets as well. */
export type { OperationKind, ResultOf, RouteId } from '@holdfast/management/api'
export { ApiClient, connect, type ConnectOptions } from './client.ts'
export { ApiError } from './error.ts'
export type { ApiEvent, ConnectionState } from './events.ts'
export type { EventsOptions } from './listening.ts'
export { isEnded } from './operations.ts'
export type { Credentials, Fetch } from './requests.ts'
export type {
  Asking,
  Call,
  CallableId,
  CallOptions,
  Group,
  ListId,
  Login,
  Operation,
  OperationEvent,
  OperationNews,
  OperationOptions,
  Overview,
  OwnSession,
  Problem,
  Receipt,
  ResyncEvent,
} from './table.ts'
