/** Links: programs at work at an interface. */
import { orThrow } from '../errors.ts'
import { BpfObject, Command, attributeBytes, attributeWords, bpf, objectInfo, openPinned } from './call.ts'
import type { BpfProgram } from './program.ts'

/** Where a program sees an interface's packets. */
export type Direction = 'ingress' | 'egress'

/** enum bpf_attach_type. */
const attachType = { ingress: 46, egress: 47 }
/** struct bpf_link_info, as tcx fills it; in words. */
const infoWord = { programId: 2, interfaceIndex: 4, attachType: 5 }

/** What a link says of itself. */
export interface LinkInfo {
  /** 0: the interface is gone. */
  readonly interfaceIndex: number
  readonly programId: number
  readonly direction: Direction
}

/** A program at work at an interface: until the last descriptor is closed and no pin is left. */
export class BpfLink extends BpfObject {
  /** Puts another program in its place; no packet is missed. */
  update(program: BpfProgram): void {
    attributeBytes.fill(0)
    attributeWords[0] = this.fd
    attributeWords[1] = program.fd
    orThrow(bpf(Command.linkUpdate, 16), 'BPF_LINK_UPDATE')
  }

  /** Ends it, whoever has it open. */
  detach(): void {
    attributeBytes.fill(0)
    attributeWords[0] = this.fd
    orThrow(bpf(Command.linkDetach, 4), 'BPF_LINK_DETACH')
  }

  info(): LinkInfo {
    const info = objectInfo(this.fd, 72)
    const words = new Uint32Array(info.buffer, 0, 6)
    return {
      interfaceIndex: words[infoWord.interfaceIndex],
      programId: words[infoWord.programId],
      direction: words[infoWord.attachType] === attachType.egress ? 'egress' : 'ingress',
    }
  }
}

/** Puts a program at an interface by tcx (Linux 6.6; before, EINVAL is thrown: see `@holdfast/posix/netlink` for clsact). */
export const createTcxLink = (program: BpfProgram, interfaceIndex: number, direction: Direction): BpfLink => {
  attributeBytes.fill(0)
  attributeWords[0] = program.fd
  attributeWords[1] = interfaceIndex
  attributeWords[2] = attachType[direction]
  return new BpfLink(orThrow(bpf(Command.linkCreate, 32), 'BPF_LINK_CREATE'))
}

/** Opens a link that is pinned; undefined when there is no such name. */
export const openPinnedLink = (path: string): BpfLink | undefined => {
  const fd = openPinned(path)
  return fd === undefined ? undefined : new BpfLink(fd)
}
