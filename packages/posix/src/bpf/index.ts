/**
 * bpf(2): maps, programs and links of the kernel (`@holdfast/posix/bpf`). Operations on a map return 0 or -errno; everything that is done once throws
 * `PosixError`, and what the verifier refuses `VerifierError` with what it said. Each thread has memory of its own for the calls; descriptors are good in all.
 */
export * from './constants.ts'
export { VerifierError, type BpfObject } from './call.ts'
export * from './filesystem.ts'
export * from './link.ts'
export * from './map.ts'
export * from './program.ts'
