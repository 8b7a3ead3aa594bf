/** The files of the shares over HTTP/1.1, read only. */
export { contentFraming } from './requests.ts'
export { createContentProtocol, defaultContentLimits, type ContentLimits, type ContentOptions } from './protocol.ts'
export type { ContentAccounts, ContentShare, ContentShares, ContentThrottle, Reader } from './shares.ts'
