/** Who may do what: tokens, descriptors of new files, the access check, QUERY_INFO and SET_INFO of security. */
export * from './token.ts'
export * from './check.ts'
export * from './security-info.ts'
export * from './inherit.ts'
export * from './descriptor-cache.ts'
