/** Whether programs run here. */

import { BPF_PROG_TYPE_SCHED_CLS, loadProgram } from '@holdfast/posix/bpf'
import { Assembler, r0 } from '../assembler/index.ts'

/** Why programs do not run here, for `{ skip }`; false when they do. With CI set they have to. */
export function programsUnavailable(): string | false {
  try {
    const a = new Assembler('hf_try')
    a.mov32(r0, 0).exit()
    using program = loadProgram({ type: BPF_PROG_TYPE_SCHED_CLS, instructions: a.assemble().bytes({}) })
    return program.testRun({ packet: Buffer.alloc(64) }).returned === 0 ? false : 'programs do not run as they should'
  } catch (error) {
    const reason = `programs cannot be loaded into the kernel (CAP_BPF, CAP_NET_ADMIN): ${(error as Error).message}`
    if ((process.env['CI'] ?? '') !== '') throw new Error(`with CI set, ${reason}`, { cause: error })
    return reason
  }
}
