/** The SMB2 server core: connections, sessions, tree connects, credits, compounds; files are the file room's. */
export { defaultLimits, silent } from './config.ts'
export type { Logger, ShareConfig, SmbLimits, SmbServerConfig, SmbServerDependencies, Timers } from './config.ts'
export { failureOf, statusOfFsError } from './errors.ts'
export { frameHeaderLengthBytes, frameLengthMaxDefault, smbFraming } from './framing.ts'
export { StatusError } from './handler-api.ts'
export type * from './handler-api.ts'
export { createSmbProtocol, SmbServer } from './server.ts'
export type { Session } from './session.ts'
