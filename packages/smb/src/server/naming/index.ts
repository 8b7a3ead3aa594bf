/** Names: what requests name, search patterns, 8.3 names, and comparing without regard to case. */
export * from './wire-name.ts'
export * from './pattern.ts'
export * from './short-name.ts'
export * from './upcase.ts'
