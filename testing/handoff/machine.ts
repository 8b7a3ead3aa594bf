/** Machines that are network namespaces, and cables between them. */
import { mustRun, runCommand } from '../peers/command.ts'
import type { CommandOptions, CommandResult } from '../peers/command.ts'
import { startProgram } from './program.ts'
import type { Program, ProgramOptions } from './program.ts'

/** What an interface has counted. */
export interface Counters {
  readonly receivedBytes: number
  readonly sentBytes: number
}

/** A network namespace with its loopback up. */
export class Machine {
  readonly namespace: string

  constructor(namespace: string) {
    this.namespace = namespace
  }

  /** Words that run a program here. It keeps the mounts of whoever starts it, and so its pins outlive it (`ip netns exec` has mounts of its own). */
  words(...words: readonly string[]): readonly string[] {
    return ['nsenter', `--net=/run/netns/${this.namespace}`, ...words]
  }

  /** Runs a program to its end. */
  async run(words: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const [program = '', ...args] = this.words(...words)
    return runCommand(program, args, options)
  }

  /** The same; a failure throws. Returns what was printed. */
  async must(words: readonly string[], options: CommandOptions = {}): Promise<string> {
    const [program = '', ...args] = this.words(...words)
    return mustRun(program, args, options)
  }

  /** Starts a program that stays. */
  async start(words: readonly string[], options: ProgramOptions = {}): Promise<Program> {
    return startProgram(this.words(...words), options)
  }

  async ip(...words: readonly string[]): Promise<string> {
    return mustRun('ip', ['-n', this.namespace, ...words])
  }

  /** Sets what sysctl(8) does; those of the network are each namespace's own. */
  async set(values: Readonly<Record<string, string | number>>): Promise<void> {
    await this.must(['sysctl', '-q', '-w', ...Object.entries(values).map(([key, value]) => `${key}=${value}`)])
  }

  /** Waits until each interface has its link-local address: a router forwards nothing by IPv6 before, and the kernel takes up to a second to see that a cable is in. */
  async settled(): Promise<void> {
    for (let attempt = 0; attempt < 200; attempt++) {
      const links = JSON.parse(await this.ip('-6', '-j', 'addr', 'show', 'up')) as {
        ifname?: string
        addr_info?: { scope: string; tentative?: boolean }[]
      }[]
      const missing = links.filter(
        ({ ifname, addr_info = [] }) =>
          ifname !== undefined && ifname !== 'lo' && !addr_info.some(one => one.scope === 'link' && one.tentative !== true),
      )
      if (missing.length === 0) return
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    throw new Error(`${this.namespace}: an interface has no link-local address`)
  }

  async counters(device = 'eth0'): Promise<Counters> {
    const [link] = JSON.parse(await mustRun('ip', ['-n', this.namespace, '-s', '-j', 'link', 'show', device])) as [
      { stats64: { rx: { bytes: number }; tx: { bytes: number } } },
    ]
    return { receivedBytes: link.stats64.rx.bytes, sentBytes: link.stats64.tx.bytes }
  }

  /** Counters of the kernel's TCP (nstat names: `TcpRetransSegs`, `TcpInCsumErrors`, …), since the machine is there. */
  async tcpCounters(): Promise<Readonly<Record<string, number>>> {
    const text = (await Promise.all(['snmp', 'netstat'].map(name => this.must(['cat', `/proc/self/net/${name}`])))).join('')
    const lines = text.split('\n')
    const pairs = lines.flatMap((line, i) =>
      i % 2 === 0 && lines[i + 1] !== undefined ? [[line.split(' '), (lines[i + 1] ?? '').split(' ')] as const] : [],
    )
    return Object.fromEntries(
      pairs.flatMap(([names, values]) =>
        names.slice(1).map((name, i) => [`${(names[0] ?? '').slice(0, -1)}${name}`, Number(values[i + 1])] as const),
      ),
    )
  }
}

/** Where a cable ends: a machine, the interface there, its addresses with prefix lengths; on a bridge there are none. */
export interface Plug {
  readonly machine: Machine
  readonly device: string
  readonly addresses?: readonly string[]
  /** It becomes a port of this bridge. */
  readonly bridge?: string
}

/** All machines of a test; gone with `await using`. */
export class Network implements AsyncDisposable {
  readonly #prefix: string
  readonly #machines: Machine[] = []

  /** Names of namespaces begin with `prefix`. */
  constructor(prefix: string) {
    this.#prefix = prefix
  }

  async machine(name: string): Promise<Machine> {
    const machine = new Machine(`${this.#prefix}-${name}`)
    await mustRun('ip', ['netns', 'add', machine.namespace])
    this.#machines.push(machine)
    await machine.ip('link', 'set', 'lo', 'up')
    // Nobody else has the link-local addresses; to look for them takes more than a second.
    await machine.set({ 'net.ipv6.conf.all.accept_dad': 0, 'net.ipv6.conf.default.accept_dad': 0 })
    return machine
  }

  /** A cable (veth(4)) between two plugs. */
  async cable(a: Plug, b: Plug, { mtu = 1500 }: { readonly mtu?: number } = {}): Promise<void> {
    const end = ({ machine, device }: Plug): string[] => ['name', device, 'mtu', String(mtu), 'netns', machine.namespace]
    await mustRun('ip', ['link', 'add', ...end(a), 'type', 'veth', 'peer', ...end(b)])
    for (const { machine, device, addresses = [], bridge } of [a, b]) {
      if (bridge !== undefined) await machine.ip('link', 'set', 'dev', device, 'master', bridge)
      for (const address of addresses) await machine.ip('addr', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []))
      await machine.ip('link', 'set', 'dev', device, 'up')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { namespace } of this.#machines) await runCommand('ip', ['netns', 'del', namespace])
  }
}
