/** How the client commands reach a server. */

import { ConfigError } from '../config/errors.ts'
import type { ConnectRemote } from './remote.ts'

/** To be connected to `@holdfast/smb/client`. */
export const connectRemote: ConnectRemote = () => Promise.reject(new ConfigError('this version has no SMB client yet', 'NOT_AVAILABLE'))
