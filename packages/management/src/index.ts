export {
  createManagementApp,
  defaultRates,
  type Caller,
  type ManagementApp,
  type ManagementOptions,
  type ManagementRates,
  type StreamRequest,
} from './app.ts'
export { openManagementCore } from './core/open.ts'
export type { CoreLimits, ManagementCore, ManagementCoreOptions, Secrets, StreamEvent } from './core/core.ts'
export { ManagementError } from './core/problems.ts'
export type { Rate } from './limits/token-buckets.ts'
export { createManagementProtocols } from './protocol.ts'
export { openApiDocument } from './openapi/document.ts'
export { httpFraming } from './http/requests.ts'
export { watchReadiness, type ReadinessCheck, type ReadinessOptions, type Trouble } from './readiness.ts'
export { overview, type OverviewOptions } from './overview.ts'
export { formatMetrics, prometheusContentType } from './prometheus.ts'
export type { Account, Accounts, Action, ActionContext, Actions, ManagedNode, Queries } from './operations/actions.ts'
export type { Asked, OperationKind, QueryId, ResultOf } from './api/routes.ts'
