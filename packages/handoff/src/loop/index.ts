/** A data thread: its loop (descriptors, deadlines, what is done once a turn), and how the process starts it and talks with it. */
export * from './loop.ts'
export * from './deadlines.ts'
export * from './thread-handle.ts'
export * from './run-thread.ts'
export type { ThreadStart } from './thread-messages.ts'
