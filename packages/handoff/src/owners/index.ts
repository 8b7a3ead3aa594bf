/** Which server agent has the content of a request: by prefix, shared by consistent hash, from options or a file. */
export * from './owners.ts'
export * from './prefix-owners.ts'
export * from './routes.ts'
export * from './routes-file.ts'
export * from './sole-owners.ts'
