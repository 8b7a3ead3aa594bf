/** Whether a machine can have the networks of these tests, and what can go wrong in them: packets that are lost, cables that are pulled. */
import { BPF_PROG_TYPE_SCHED_CLS, TCX_NEXT, TC_ACT_SHOT, createTcxLink, loadProgram } from '@holdfast/posix/bpf'
import type { BpfLink, Direction } from '@holdfast/posix/bpf'
import { inNetworkNamespace, interfaceIndex } from '@holdfast/posix/network'
import { missing } from '../peers/packages.ts'
import type { Machine } from './machine.ts'

/** `r0 = r0` of 32 bits, and so on: an instruction of 8 bytes. */
const instruction = (opcode: number, destination: number, source: number, offset: number, immediate: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt8(opcode, 0)
  bytes.writeUInt8((source << 4) | destination, 1)
  bytes.writeInt16LE(offset, 2)
  bytes.writeInt32LE(immediate, 4)
  return bytes
}

const getPrandomU32 = 7

/** A tc program that drops so many packets of a thousand, and leaves the others to the next program. */
const dropper = (permille: number): Buffer =>
  Buffer.concat([
    instruction(0x85, 0, 0, 0, getPrandomU32),
    // w0 %= 1000; r1 = r0; r0 = drop; if r1 < permille, exit; r0 = next; exit.
    instruction(0x94, 0, 0, 0, 1000),
    instruction(0xbf, 1, 0, 0, 0),
    instruction(0xb7, 0, 0, 0, TC_ACT_SHOT),
    instruction(0xa5, 1, 0, 1, permille),
    instruction(0xb7, 0, 0, 0, TCX_NEXT),
    instruction(0x95, 0, 0, 0, 0),
  ])

/** How many packets of a thousand are lost. */
export interface Loss {
  readonly permilleIn?: number
  readonly permilleOut?: number
  readonly device?: string
}

/** Loses packets at random at an interface, until disposed of. */
export function dropPackets(machine: Machine, { permilleIn = 0, permilleOut = 0, device = 'eth0' }: Loss): Disposable {
  const losses: readonly (readonly [Direction, number])[] = [
    ['ingress', permilleIn],
    ['egress', permilleOut],
  ]
  const links: BpfLink[] = inNetworkNamespace(`/run/netns/${machine.namespace}`, () =>
    losses
      .filter(([, permille]) => permille > 0)
      .map(([direction, permille]) => {
        using program = loadProgram({ type: BPF_PROG_TYPE_SCHED_CLS, instructions: dropper(permille), name: 'hf_loss' })
        return createTcxLink(program, interfaceIndex(device), direction)
      }),
  )
  return {
    [Symbol.dispose]: () => {
      for (const link of links) link[Symbol.dispose]()
    },
  }
}

/** Pulls a machine's cable, or plugs it in again. Addresses and routes of IPv4 stay; those of IPv6 go with the link. */
export async function setLink(machine: Machine, state: 'up' | 'down', device = 'eth0'): Promise<void> {
  await machine.ip('link', 'set', 'dev', device, state)
}

/** Why there can be no network namespaces, or no programs at their interfaces; false when there can. With CI set they must be possible. */
export function topologyUnavailable(): string | false {
  const absent = missing('root', 'ip', 'nsenter')
  if (absent !== false) return absent
  const reason = programsRefused()
  if (reason !== false && (process.env['CI'] ?? '') !== '') throw new Error(`with CI set hand-offs must be possible: ${reason}`)
  return reason
}

function programsRefused(): string | false {
  try {
    using program = loadProgram({ type: BPF_PROG_TYPE_SCHED_CLS, instructions: dropper(0) })
    return program.testRun({ packet: Buffer.alloc(64) }).returned === TCX_NEXT ? false : 'programs in the kernel do not run as they should'
  } catch (error) {
    return `programs cannot be loaded into the kernel (CAP_BPF, CAP_NET_ADMIN): ${(error as Error).message}`
  }
}
