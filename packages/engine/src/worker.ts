/** What a worker module imports. */
export * from './worker-api.ts'
export { runWorker } from './worker/thread.ts'
export { WorkerRuntime } from './worker/runtime.ts'
export type { ProtocolTable } from './worker/runtime.ts'
export { CallError } from './worker/mesh.ts'
export { OutOfSharedMemory } from './worker/connection.ts'
export type { EngineLimits, Framing } from './shared/layout.ts'
