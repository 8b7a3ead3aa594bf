/** The server agent's programs at its interfaces, with their maps. */

import type { BpfProgram } from '@holdfast/posix/bpf'
import { orThrow } from '@holdfast/posix'
import { AgentEntry } from '../entries.ts'
import type { FlowMap } from '../flow-map.ts'
import { offsetsOf } from '../offsets.ts'
import { egressProgram, ingressProgram } from '../programs/server-agent.ts'
import type { Changed } from '../programs/change.ts'
import type { Totals } from '../totals.ts'
import { attachProgram, detachByClsact, linkBytesOf, placeOf } from './attach.ts'
import type { AttachMethod, Attached, Attachment } from './attach.ts'
import { createHeads, flowMapOf, loadPacketProgram, openDirectors, openFlows, openTotals, totalsReader } from './instance.ts'
import type { InstanceMaps } from './instance.ts'
import { attachOpening, type Opening } from './opening.ts'
import { FlowPairs } from './pairs.ts'
import { Pins, removePins } from './pins.ts'

/** What `ServerAgentPrograms.attach` is told. */
export interface ServerAgentProgramOptions {
  /** Names of the interfaces by which clients' packets come and responses leave. */
  readonly interfaces: readonly string[]
  /** Where wrapped packets come to: the agent's own UDP address (16 bytes) and port. Its socket needs UDP_NO_CHECK6_RX for IPv6. */
  readonly listen: Uint8Array
  readonly listenPort: number
  /** Where links, programs and maps outlive the process: a directory of bpffs; made when it is not there, and bpffs mounted when we may. */
  readonly pinDirectory?: string
  /** Default `auto`: tcx where the kernel has it (6.6), clsact elsewhere. */
  readonly attach?: AttachMethod
  /** Entries the map has room for, two a connection. Default 262,144. */
  readonly maxEntries?: number
}

const offsets = offsetsOf(AgentEntry)
/** What is the agent's of an entry: all but what the programs count and keep. */
export const agentChanged: Changed = {
  ranges: [
    [0, offsets.captured],
    [offsets.generation, AgentEntry.fixedSize],
  ],
}

/** See `attach`. */
export class ServerAgentPrograms implements Disposable {
  readonly flows: FlowMap
  readonly pairs: FlowPairs
  /** How and where they are attached, and whether something outlives the process. */
  readonly attached: Attached
  /** Those that are at work, for measurements: of each interface, ingress and egress. */
  readonly programs: readonly BpfProgram[]
  readonly totals: () => Totals
  readonly #maps: Required<Pick<InstanceMaps, 'flows' | 'totals' | 'directors' | 'heads'>>
  readonly #changer: BpfProgram
  readonly #attachments: readonly Attachment[]
  #opening: Opening | undefined

  /**
   * Puts the programs at the interfaces. What is pinned there already goes on: the maps with their entries, and the links, whose programs are replaced without a gap.
   * Throws `PosixError`, UsageError `no-interface`, and `VerifierError` when the kernel does not take a program.
   *
   * @example
   * const listen = parseAddress('10.0.0.11')
   * using programs = ServerAgentPrograms.attach({ interfaces: ['eth0'], listen, listenPort: 7001, pinDirectory: '/sys/fs/bpf/holdfast/server-agent-eth0' })
   */
  static attach(options: ServerAgentProgramOptions): ServerAgentPrograms {
    return new ServerAgentPrograms(options)
  }

  /** Takes away what is pinned, and with it the programs: links, maps. Connections end. */
  static detach(options: { readonly interfaces: readonly string[]; readonly pinDirectory: string }): void {
    removePins(options.pinDirectory)
    for (const name of options.interfaces) {
      detachByClsact('serverAgent', name, 'ingress')
      detachByClsact('serverAgent', name, 'egress')
    }
  }

  private constructor(options: ServerAgentProgramOptions) {
    const places = options.interfaces.flatMap(name => [placeOf('serverAgent', name, 'ingress'), placeOf('serverAgent', name, 'egress')])
    const pins = Pins.open(options.pinDirectory)
    this.#maps = {
      flows: openFlows(pins, AgentEntry.fixedSize, options.maxEntries),
      totals: openTotals(pins),
      directors: openDirectors(pins),
      heads: createHeads(),
    }
    const { flows, changer } = flowMapOf(this.#maps, agentChanged)
    this.flows = flows
    this.pairs = new FlowPairs(this.#maps)
    this.#changer = changer
    this.totals = totalsReader(this.#maps.totals)
    this.programs = places.map(place => {
      const constants = { ...options, linkBytes: linkBytesOf(place.interface) }
      return loadPacketProgram(place.direction === 'ingress' ? ingressProgram(constants) : egressProgram(constants), this.#maps)
    })
    this.#attachments = places.map((place, index) => attachProgram(this.programs[index], place, options.attach ?? 'auto', pins))
    const method = this.#attachments[0]?.method ?? 'tcx'
    this.attached = { method, isPinned: pins.isThere, notPinned: pins.notPinned, isResumed: pins.isResumed }
  }

  /** From now on wrapped packets are taken from this address (16 bytes). Throws `PosixError`. */
  addDirector(address: Uint8Array): void {
    orThrow(this.#maps.directors.update(address, known), 'BPF_MAP_UPDATE_ELEM')
  }

  /** From now on they are not. */
  removeDirector(address: Uint8Array): void {
    this.#maps.directors.remove(address)
  }

  /** Lets packets with `openingMark` open connections at lo, as long as this process lives. Undefined where the kernel cannot. */
  attachOpening(): Opening | undefined {
    this.#opening ??= attachOpening(this.#maps)
    return this.#opening
  }

  /** Closes descriptors. What is pinned goes on; what is not ends. */
  [Symbol.dispose](): void {
    this.#opening?.[Symbol.dispose]()
    this.pairs[Symbol.dispose]()
    for (const { release } of this.#attachments) release()
    for (const object of [...Object.values(this.#maps), this.#changer, ...this.programs]) object[Symbol.dispose]()
  }
}

/** What the list of directors has for each. */
const known = Buffer.alloc(8, 1)
