/** An assembler for eBPF. */
export * from './assembler.ts'
export * from './opcodes.ts'
export * from './operands.ts'
export * from './program.ts'
