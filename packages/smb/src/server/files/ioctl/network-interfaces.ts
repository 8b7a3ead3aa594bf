/** The network interfaces by which clients reach the server, as MS-SMB2 2.2.32.5 describes them. */
import { lookup } from 'node:dns/promises'
import { readdir, readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { NetworkInterfaceInfo } from 'node:os'
import { InterfaceCapability } from '../../../messages/fsctl-network.ts'
import type { NetworkInterface } from '../../../messages/fsctl-network.ts'
import type { Listeners } from '../../core/handler-api.ts'

/** Where an interface does not tell its speed (loopback, bridges, most virtual machines): the network behind it is seldom slower. */
const assumedBitsPerSecond = 10_000_000_000n
/** Links come and go, but a client asks every ten minutes, and many may ask at once. */
const lifetimeMs = 5_000
const wildcards: ReadonlySet<string> = new Set(['', '::', '0.0.0.0'])

export interface NetworkSources {
  addresses(): ReturnType<typeof networkInterfaces>
  /** The addresses of a host name. */
  resolve(name: string): Promise<readonly string[]>
  /** `/sys/class`. */
  readonly folder: string
  /** Milliseconds, monotonic. */
  now(): number
}

const system: NetworkSources = {
  addresses: networkInterfaces,
  resolve: async name => (await lookup(name, { all: true })).map(({ address }) => address),
  folder: '/sys/class',
  now: () => performance.now(),
}

/** What an interface is, whatever its addresses. */
type Device = Pick<NetworkInterface, 'ifIndex' | 'capability' | 'linkSpeed'>
type Named = NetworkInterfaceInfo & { readonly name: string }

export class NetworkInterfaces {
  readonly #sources: NetworkSources
  #known: { readonly until: number; readonly key: string; readonly interfaces: Promise<readonly NetworkInterface[]> } | undefined

  constructor(sources: NetworkSources = system) {
    this.#sources = sources
  }

  /** An entry for each address that the server listens on. Loopback only where it listens on nothing else: nobody else comes that way. */
  of(listeners: Listeners): Promise<readonly NetworkInterface[]> {
    const now = this.#sources.now()
    const key = `${listeners.offersRdma} ${listeners.listensOn.join(' ')}`
    if (this.#known === undefined || this.#known.until <= now || this.#known.key !== key) {
      this.#known = { until: now + lifetimeMs, key, interfaces: this.#read(listeners) }
    }
    return this.#known.interfaces
  }

  async #read({ listensOn, offersRdma }: Listeners): Promise<readonly NetworkInterface[]> {
    const reached = await this.#reached(listensOn)
    const outside = reached.filter(({ internal }) => !internal)
    const shown = outside.length > 0 ? outside : reached
    const withRdma = offersRdma ? await this.#rdmaNames() : new Set<string>()
    const devices = new Map<string, Device>()
    for (const { name } of shown) if (!devices.has(name)) devices.set(name, await this.#device(name, devices.size + 1, withRdma))
    return shown.map(one => ({ ...devices.get(one.name)!, address: addressBytes(one), port: 0, scopeId: 0 }))
  }

  async #reached(listensOn: readonly string[]): Promise<Named[]> {
    // `eth0:1` is a further address of `eth0`.
    const all = Object.entries(this.#sources.addresses()).flatMap(([label, addresses]) =>
      (addresses ?? []).map(address => ({ ...address, name: label.split(':', 1)[0] })),
    )
    const usable = all.filter(({ address }) => !address.startsWith('fe80:'))
    if (listensOn.length === 0 || listensOn.includes('') || listensOn.includes('::')) return usable
    const hosts = await Promise.all(listensOn.filter(host => !wildcards.has(host)).map(host => this.#resolve(host)))
    const addresses = new Set(hosts.flat())
    return usable.filter(({ address, family }) => (family === 'IPv4' && listensOn.includes('0.0.0.0')) || addresses.has(address))
  }

  async #resolve(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host]
    try {
      return await this.#sources.resolve(host)
    } catch {
      // The listener is there, but its name no longer leads to it.
      return []
    }
  }

  async #device(name: string, position: number, withRdma: ReadonlySet<string>): Promise<Device> {
    const [ifIndex, megabits, queues] = await Promise.all([
      this.#number(`net/${name}/ifindex`),
      this.#number(`net/${name}/speed`),
      this.#list(`net/${name}/queues`),
    ])
    const receives = queues.filter(queue => queue.startsWith('rx-')).length
    return {
      ifIndex: ifIndex > 0 ? ifIndex : position,
      capability: (receives > 1 ? InterfaceCapability.rss : 0) | (withRdma.has(name) ? InterfaceCapability.rdma : 0),
      linkSpeed: megabits > 0 ? BigInt(megabits) * 1_000_000n : assumedBitsPerSecond,
    }
  }

  /** Interfaces that an RDMA device belongs to: its own, and those that its GIDs are of (bonds, VLANs). */
  async #rdmaNames(): Promise<Set<string>> {
    const names = new Set<string>()
    for (const device of await this.#list('infiniband')) {
      for (const name of await this.#list(`infiniband/${device}/device/net`)) names.add(name)
      for (const port of await this.#list(`infiniband/${device}/ports`)) {
        const gids = `infiniband/${device}/ports/${port}/gid_attrs/ndevs`
        for (const gid of await this.#list(gids)) names.add(await this.#text(`${gids}/${gid}`))
      }
    }
    names.delete('')
    return names
  }

  async #number(path: string): Promise<number> {
    return Number(await this.#text(path))
  }

  async #text(path: string): Promise<string> {
    try {
      return (await readFile(`${this.#sources.folder}/${path}`, 'ascii')).trim()
    } catch {
      // What an interface does not have it does not tell.
      return ''
    }
  }

  async #list(path: string): Promise<string[]> {
    try {
      return (await readdir(`${this.#sources.folder}/${path}`)).sort()
    } catch {
      // There is none of it.
      return []
    }
  }
}

function addressBytes({ address, family }: NetworkInterfaceInfo): Buffer {
  if (family === 'IPv4') return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map(group => Number.parseInt(group, 16)))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after]
  return Buffer.from(all.flatMap(group => [group >>> 8, group & 0xff]))
}
