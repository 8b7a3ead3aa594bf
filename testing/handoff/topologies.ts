/** The networks that hand-offs are tried in. */
import { existsSync } from 'node:fs'
import { Network } from './machine.ts'
import type { Machine } from './machine.ts'

/** Who plays a part, and where they are reached. */
export interface Topology extends AsyncDisposable {
  readonly client: Machine
  readonly director: Machine
  readonly a: Machine
  readonly b: Machine
  /** Moves packets between them: a bridge, or the router in the middle. */
  readonly middle: Machine
  /** Another machine on the director's link, where there is one. */
  readonly spare?: Machine
  /** The router in front of the client, where there is one. */
  readonly edge?: Machine
  readonly addresses: Readonly<Record<Family, Addresses>>
}

/** IP's versions. */
export type Family = 'ipv4' | 'ipv6'

/** Of the parts, without prefix lengths. */
export interface Addresses {
  readonly client: string
  readonly director: string
  readonly vip: string
  readonly a: string
  readonly b: string
}

const network = (): Network => new Network(`hfg${process.pid % 100_000}`)

const onOneLink: Readonly<Record<Family, Addresses>> = {
  ipv4: { client: '10.77.0.2', director: '10.77.0.1', vip: '10.77.0.100', a: '10.77.0.11', b: '10.77.0.12' },
  ipv6: { client: 'fd77::2', director: 'fd77::1', vip: 'fd77::100', a: 'fd77::11', b: 'fd77::12' },
}

/** Client, director and both servers on one link: a bridge. */
export async function oneLink(): Promise<Topology> {
  await using stack = new AsyncDisposableStack()
  const net = stack.use(network())
  const middle = await net.machine('switch')
  // A switch looks at nothing above the link; here it would be asked for each packet whether it wants to, if the machine has the module.
  if (existsSync('/proc/sys/net/bridge')) await middle.set({ 'net.bridge.bridge-nf-call-iptables': 0, 'net.bridge.bridge-nf-call-ip6tables': 0 })
  await middle.ip('link', 'add', 'br0', 'type', 'bridge')
  await middle.ip('link', 'set', 'br0', 'up')
  const addresses = onOneLink
  const plug = async (
    name: string,
    { ipv4, ipv6 }: { readonly ipv4: string; readonly ipv6: string },
    more: readonly string[] = [],
  ): Promise<Machine> => {
    const machine = await net.machine(name)
    const own = [`${ipv4}/24`, `${ipv6}/64`, ...more]
    await net.cable({ machine, device: 'eth0', addresses: own }, { machine: middle, device: name, bridge: 'br0' })
    await tune(machine)
    return machine
  }
  const of = (name: 'client' | 'director' | 'a' | 'b') => ({ ipv4: addresses.ipv4[name], ipv6: addresses.ipv6[name] })
  const client = await plug('client', of('client'))
  const director = await plug('director', of('director'), [`${addresses.ipv4.vip}/24`, `${addresses.ipv6.vip}/64`])
  const [a, b] = [await plug('a', of('a')), await plug('b', of('b'))]
  const spare = await plug('spare', { ipv4: '10.77.0.3', ipv6: 'fd77::3' })
  const machines = stack.move()
  return { client, director, a, b, spare, middle, addresses, [Symbol.asyncDispose]: () => machines.disposeAsync() }
}

const routedAddresses: Readonly<Record<Family, Addresses>> = {
  ipv4: { client: '10.78.1.2', director: '10.78.2.1', vip: '10.78.2.100', a: '10.78.3.11', b: '10.78.4.12' },
  ipv6: { client: 'fd78:1::2', director: 'fd78:2::1', vip: 'fd78:2::100', a: 'fd78:3::11', b: 'fd78:4::12' },
}

/**
 * Each machine on a link of its own: client, edge, middle, and behind it director and servers. `narrowMtu` is that of the link between both routers.
 * Routers take packets of the VIP from the servers' links: they must not ask whether that is the way back (rp_filter).
 */
export async function routed({ narrowMtu = 1500 }: { readonly narrowMtu?: number } = {}): Promise<Topology> {
  await using stack = new AsyncDisposableStack()
  const net = stack.use(network())
  const [edge, middle] = [await net.machine('edge'), await net.machine('middle')]
  const addresses = routedAddresses
  const plug = async (name: 'client' | 'director' | 'a' | 'b', router: Machine, more: readonly string[] = []): Promise<Machine> => {
    const machine = await net.machine(name)
    const { ipv4, ipv6 } = { ipv4: addresses.ipv4[name], ipv6: addresses.ipv6[name] }
    const gateways = [`${ipv4.slice(0, ipv4.lastIndexOf('.'))}.254`, `${ipv6.slice(0, ipv6.lastIndexOf('::'))}::fe`] as const
    await net.cable(
      { machine, device: 'eth0', addresses: [`${ipv4}/24`, `${ipv6}/64`, ...more] },
      { machine: router, device: name, addresses: [`${gateways[0]}/24`, `${gateways[1]}/64`] },
    )
    for (const gateway of gateways) await machine.ip('route', 'add', 'default', 'via', gateway)
    await tune(machine)
    return machine
  }
  await net.cable(
    { machine: edge, device: 'core', addresses: ['10.78.9.1/24', 'fd78:9::1/64'] },
    { machine: middle, device: 'core', addresses: ['10.78.9.2/24', 'fd78:9::2/64'] },
    { mtu: narrowMtu },
  )
  const forwarding = {
    'net.ipv4.ip_forward': 1,
    'net.ipv6.conf.all.forwarding': 1,
    'net.ipv4.conf.all.rp_filter': 0,
    'net.ipv4.conf.default.rp_filter': 0,
  }
  for (const router of [edge, middle]) await router.set(forwarding)
  const client = await plug('client', edge)
  const director = await plug('director', middle, [`${addresses.ipv4.vip}/24`, `${addresses.ipv6.vip}/64`])
  const [a, b] = [await plug('a', middle), await plug('b', middle)]
  for (const gateway of ['10.78.9.2', 'fd78:9::2']) await edge.ip('route', 'add', 'default', 'via', gateway)
  await middle.ip('route', 'add', '10.78.1.0/24', 'via', '10.78.9.1')
  await middle.ip('route', 'add', 'fd78:1::/64', 'via', 'fd78:9::1')
  for (const machine of [edge, middle, client, director, a, b]) await machine.settled()
  const machines = stack.move()
  return { client, director, a, b, middle, edge, addresses, [Symbol.asyncDispose]: () => machines.disposeAsync() }
}

/** As servers and clients of many connections are set; and with the congestion control that every kernel has. */
async function tune(machine: Machine): Promise<void> {
  await machine.set({
    'net.ipv4.tcp_congestion_control': 'reno',
    'net.core.somaxconn': 4096,
    'net.ipv4.tcp_max_syn_backlog': 4096,
    'net.ipv4.ip_local_port_range': '2000 65000',
  })
}
