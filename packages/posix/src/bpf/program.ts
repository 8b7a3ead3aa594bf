/** Programs: loaded, tried on packets, measured. */
import { addressAt, allocate } from '../addresses.ts'
import { errno, orThrow } from '../errors.ts'
import { cString } from '../libc.ts'
import {
  BpfObject,
  Command,
  VerifierError,
  attributeBytes,
  attributeWords,
  bpf,
  calls,
  nameAt,
  objectInfo,
  openPinned,
  setName,
  setPointer,
} from './call.ts'

/** What a program is loaded from. */
export interface ProgramSource {
  readonly type: number
  /** 8 bytes each. */
  readonly instructions: Uint8Array
  /** At most 15 characters. */
  readonly name?: string
  /** The kernel's helpers are for programs whose license goes with the GPL. */
  readonly license?: string
  /** Also when it is taken, ask for the verifier's log. */
  readonly log?: boolean
  /** `BPF_F_SLEEPABLE`, say. */
  readonly flags?: number
}

/** A packet to run a program on. */
export interface TestRun {
  readonly packet: Uint8Array
  /** Where the packet goes that the program leaves. */
  readonly output?: Uint8Array
  /** struct __sk_buff, 192 bytes: what the program sees besides the packet (mark, ifindex, …). */
  readonly context?: Uint8Array
  /** The same after the run. */
  readonly contextOutput?: Uint8Array
  readonly repeat?: number
}

/** What a test run gave; the same object each time. */
export interface TestResult {
  /** What the program returned (`TC_ACT_OK`, …). */
  returned: number
  /** Length of the packet it left. */
  outputBytes: number
  /** Of one run, on average. */
  durationNs: number
}

/** How often a program has run, and for how long; 0 unless `enableStatistics` was called. */
export interface ProgramInfo {
  readonly id: number
  readonly name: string
  /** Instructions the verifier went through. */
  readonly verifiedInstructions: number
  readonly runs: number
  readonly runNs: number
}

/** struct bpf_prog_info. */
const info = { id: 4, name: 64, runTimeNs: 192, runCount: 200, verifiedInstructions: 216, bytes: 232 }

/** A program that the verifier has taken. */
export class BpfProgram extends BpfObject {
  /** The verifier's log, if it was asked for. */
  readonly log: string
  readonly #result: TestResult = { returned: 0, outputBytes: 0, durationNs: 0 }

  /** Takes over a descriptor; `loadProgram` and `openPinnedProgram` make one. */
  constructor(fd: number, log = '') {
    super(fd)
    this.log = log
  }

  /** BPF_PROG_TEST_RUN: runs it on a packet, without a network. Throws `PosixError` (ENOSPC: the output is too short). */
  testRun({ packet, output, context, contextOutput, repeat = 1 }: TestRun): TestResult {
    attributeBytes.fill(0)
    attributeWords[0] = this.fd
    attributeWords[2] = packet.length
    attributeWords[3] = output?.length ?? 0
    setPointer(16, addressAt(packet))
    if (output !== undefined) setPointer(24, addressAt(output))
    attributeWords[8] = repeat
    attributeWords[10] = context?.length ?? 0
    attributeWords[11] = contextOutput?.length ?? 0
    if (context !== undefined) setPointer(48, addressAt(context))
    if (contextOutput !== undefined) setPointer(56, addressAt(contextOutput))
    orThrow(bpf(Command.programTestRun, 80), 'BPF_PROG_TEST_RUN')
    const result = this.#result
    result.returned = attributeWords[1] | 0
    result.outputBytes = attributeWords[3]
    result.durationNs = attributeWords[9]
    return result
  }

  /** Runs a program of type `BPF_PROG_TYPE_SYSCALL` on its context, which it may change. Returns what the program does; throws `PosixError` when it does not run. */
  run(context: Uint8Array): number {
    attributeBytes.fill(0, 0, 80)
    attributeWords[0] = this.fd
    attributeWords[10] = context.length
    setPointer(48, addressAt(context))
    const result = bpf(Command.programTestRun, 80)
    if (result < 0) orThrow(result, 'BPF_PROG_TEST_RUN')
    return attributeWords[1] | 0
  }

  info(): ProgramInfo {
    const bytes = objectInfo(this.fd, info.bytes)
    return {
      id: bytes.readUInt32LE(info.id),
      name: nameAt(bytes, info.name),
      verifiedInstructions: bytes.readUInt32LE(info.verifiedInstructions),
      runs: Number(bytes.readBigUInt64LE(info.runCount)),
      runNs: Number(bytes.readBigUInt64LE(info.runTimeNs)),
    }
  }
}

const logBytes = 1 << 20
/** The log as messages of the last error. */
const logLevel = 1

const attemptsMax = 5

/** Returns the descriptor or -errno, and the log if there is memory for one. */
const load = ({ type, instructions, name = '', license = 'Dual MIT/GPL', flags = 0 }: ProgramSource, log?: Buffer): number => {
  attributeBytes.fill(0)
  attributeWords[0] = type
  attributeWords[1] = instructions.length / 8
  setPointer(8, addressAt(instructions))
  const licenseText = cString(license)
  setPointer(16, addressAt(licenseText))
  if (log !== undefined) {
    attributeWords[6] = logLevel
    attributeWords[7] = log.length
    setPointer(32, addressAt(log))
  }
  attributeWords[11] = flags
  setName(48, name)
  // A signal to the thread (a profiler's, say) ends the verifier's work, which is done again then, as libbpf does.
  let fd = -errno.EAGAIN
  for (let attempt = 0; attempt < attemptsMax && fd === -errno.EAGAIN; attempt++) fd = bpf(Command.programLoad, 72)
  void licenseText // alive until here
  return fd
}

const logText = (log: Buffer): string => log.toString('latin1', 0, Math.max(0, log.indexOf(0))).trimEnd()

/** Loads a program. Throws `VerifierError`, with the verifier's log. */
export const loadProgram = (source: ProgramSource): BpfProgram => {
  if (source.log !== true) {
    const fd = load(source)
    if (fd >= 0) return new BpfProgram(fd)
    if (fd === -errno.EPERM) orThrow(fd, 'BPF_PROG_LOAD')
  }
  // A log that does not fit is ENOSPC: the kernel wants the last part then, and more room is all it takes.
  const log = allocate(logBytes).bytes
  const fd = load(source, log)
  if (fd < 0) throw new VerifierError(-fd, logText(log))
  return new BpfProgram(fd, logText(log))
}

/** Opens a program that is pinned; undefined when there is no such name. */
export const openPinnedProgram = (path: string): BpfProgram | undefined => {
  const fd = openPinned(path)
  return fd === undefined ? undefined : new BpfProgram(fd)
}

const BPF_STATS_RUN_TIME = 0

/** Has the kernel count runs and time of programs (it costs each run some 20 ns) until disposed of. */
export const enableStatistics = (): Disposable => {
  attributeBytes.fill(0)
  attributeWords[0] = BPF_STATS_RUN_TIME
  const fd = orThrow(bpf(Command.enableStatistics, 4), 'BPF_ENABLE_STATS')
  return { [Symbol.dispose]: () => void calls.close(fd) }
}
