/** The director's program at its interface, with its maps. */

import type { BpfMap, BpfProgram } from '@holdfast/posix/bpf'
import { DirectorEntry } from '../entries.ts'
import type { FlowMap } from '../flow-map.ts'
import { offsetsOf } from '../offsets.ts'
import { directorProgram } from '../programs/director.ts'
import type { KnownRequests } from '../known-requests.ts'
import type { Changed } from '../programs/change.ts'
import type { OpeningMap } from '../opening-map.ts'
import type { Totals } from '../totals.ts'
import { loadAnswering, mssOf } from './answering.ts'
import type { Answering } from './answering.ts'
import { attachProgram, detachByClsact, linkBytesOf, placeOf } from './attach.ts'
import type { AttachMethod, Attached, Attachment } from './attach.ts'
import { flowMapOf, loadPacketProgram, openFlows, openTotals, totalsReader } from './instance.ts'
import { loadKnowing } from './knowing.ts'
import type { Knowing } from './knowing.ts'
import { Pins, removePins } from './pins.ts'

/** What `DirectorPrograms.attach` is told. */
export interface DirectorProgramOptions {
  /** Name of the interface by which clients' packets come. */
  readonly interface: string
  /** 16 bytes; an IPv4 address is mapped. */
  readonly vip: Uint8Array
  readonly vipPort: number
  /** UDP port of the VIP at which the agent gets what is raised. Its socket is bound to the interface (SO_BINDTODEVICE), with UDP_NO_CHECK6_RX for IPv6. */
  readonly raisePort: number
  /** Where link, program and maps outlive the process: a directory of bpffs; made when it is not there, and bpffs mounted when we may. */
  readonly pinDirectory?: string
  /** Default `auto`: tcx where the kernel has it (6.6), clsact elsewhere. */
  readonly attach?: AttachMethod
  /** Entries the map has room for. Default 262,144. */
  readonly maxEntries?: number
  /** Of the interface's MTU, what is left for the headers that packets are wrapped in on their way to owners: clients whose SYNs the program answers are told so (MSS). Default 0. */
  readonly wrappingBytes?: number
}

const offsets = offsetsOf(DirectorEntry)
/** What is the agent's of an entry: all but what the program counts, and flags that it has seen rather than the program. */
export const directorChanged: Changed = {
  ranges: [
    [0, offsets.packets],
    [offsets.generation, DirectorEntry.fixedSize],
  ],
  flagsAt: offsets.flagsSeen,
}

/** See `attach`. */
export class DirectorPrograms implements Disposable {
  readonly flows: FlowMap
  /** What was agreed with clients whose SYNs the program has answered. Undefined where the kernel cannot (before Linux 6.0): the stack's listener answers them. */
  readonly openings: OpeningMap | undefined
  /** Why there are none: in words. */
  readonly notAnswering: string | undefined
  /** What the program knows of requests, which it sends on by itself. Undefined where the kernel cannot (before Linux 5.12): all come up. */
  readonly known: KnownRequests | undefined
  /** Why it knows nothing: in words. */
  readonly notKnowing: string | undefined
  /** How and where it is attached, and whether something outlives the process. */
  readonly attached: Attached
  /** Of the program that is at work, for measurements. */
  readonly program: BpfProgram
  readonly totals: () => Totals
  readonly #maps: readonly BpfMap[]
  readonly #answering: Answering | undefined
  readonly #knowing: Knowing | undefined
  readonly #changer: BpfProgram
  readonly #attachment: Attachment

  /**
   * Puts the program at the interface. What is pinned there already goes on: the map with its entries, and the link, whose program is replaced without a gap.
   * Throws `PosixError`, UsageError `no-interface`, and `VerifierError` when the kernel does not take the program.
   *
   * @example
   * const vip = parseAddress('10.0.0.100')
   * using programs = DirectorPrograms.attach({ interface: 'eth0', vip, vipPort: 80, raisePort: 7002, pinDirectory: '/sys/fs/bpf/holdfast/director-eth0' })
   */
  static attach(options: DirectorProgramOptions): DirectorPrograms {
    return new DirectorPrograms(options)
  }

  /** Takes away what is pinned, and with it the program: link, maps. Connections that were handed over end. */
  static detach(options: { readonly interface: string; readonly pinDirectory: string }): void {
    removePins(options.pinDirectory)
    detachByClsact('director', options.interface, 'ingress')
  }

  private constructor(options: DirectorProgramOptions) {
    const place = placeOf('director', options.interface, 'ingress')
    const pins = Pins.open(options.pinDirectory)
    const maps = { flows: openFlows(pins, DirectorEntry.fixedSize, options.maxEntries), totals: openTotals(pins) }
    this.#maps = [maps.flows, maps.totals]
    const given = { ...options, linkBytes: linkBytesOf(options.interface) }
    const knowing = loadKnowing(given, maps)
    if (typeof knowing === 'string') this.notKnowing = knowing
    else this.#knowing = knowing
    this.known = this.#knowing?.known
    const constants = {
      ...given,
      knowsRequests: this.known !== undefined,
      synAckMss: mssOf(options.interface, options.vip) - (options.wrappingBytes ?? 0),
    }
    const answering = loadAnswering(constants, { ...maps, ...this.#knowing?.maps }, pins)
    if (typeof answering === 'string') this.notAnswering = answering
    else this.#answering = answering
    this.openings = this.#answering?.openings
    this.program = this.#answering?.program ?? this.#knowing?.program ?? loadPacketProgram(directorProgram(given), maps)
    const { flows, changer } = flowMapOf(maps, directorChanged)
    this.flows = flows
    this.#changer = changer
    this.totals = totalsReader(maps.totals)
    this.#attachment = attachProgram(this.program, place, options.attach ?? 'auto', pins)
    this.attached = { method: this.#attachment.method, isPinned: pins.isThere, notPinned: pins.notPinned, isResumed: pins.isResumed }
  }

  /**
   * Has SYNs to the VIP answered by the program, as long as somebody listens there; or not, and then they pass to the stack's listener. What has been opened by then goes on. Off at the start, and when this ends.
   */
  answerSyns(isOn: boolean): void {
    this.#answering?.set(isOn)
  }

  /** Closes descriptors. What is pinned goes on; what is not ends. */
  [Symbol.dispose](): void {
    this.#answering?.[Symbol.dispose]()
    this.#knowing?.[Symbol.dispose]()
    this.#attachment.release()
    for (const object of [...this.#maps, this.#changer, this.program]) object[Symbol.dispose]()
  }
}
