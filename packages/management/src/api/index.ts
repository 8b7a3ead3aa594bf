/** The API as data: its routes, its schemas and their types. Nothing here needs Node; a browser can import it. */
export * as schemas from './schemas.ts'
export { nameLimits, shareNamePattern, snapshotNamePattern, userNamePattern, volumeNamePattern } from './names.ts'
export { routes } from './routes.ts'
export type { Access, Asked, OperationKind, PathParameters, QueryId, ResultOf, Route, RouteId, RouteKind, Routes } from './routes.ts'
