/** The loop of a data thread: descriptors, deadlines, and what is done once a turn. */
export * from './loop.ts'
export * from './deadlines.ts'
