/** The director: takes clients' connections, reads their requests and hands them over to the server that has the content. */
export { detachDirector, startDirector } from './director.ts'
export type { Director } from './director.ts'
export { headMsDefault, idleMsDefault, raisePortDefault } from './options.ts'
export type { DirectorEndpoint, DirectorMode, DirectorOptions } from './options.ts'
export type { AgentStatus, DirectorMetrics, DirectorStatus } from './status.ts'
