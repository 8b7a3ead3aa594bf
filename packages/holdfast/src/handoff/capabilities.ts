/** What Linux lets this process do (capabilities(7)). */

import { readFileSync } from 'node:fs'
import { CommandError } from '../commands/context.ts'

/** Numbers of capabilities, from linux/capability.h. */
const bits = { CAP_NET_BIND_SERVICE: 10n, CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n, CAP_SYS_ADMIN: 21n, CAP_BPF: 39n } as const
export type Capability = keyof typeof bits

/** Programs and maps; attaching them and TCP_REPAIR; packets in other names. */
export const handoffCapabilities: readonly Capability[] = ['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_BPF']

/** What stands for another: who may administer the system may load programs (bpf_capable() of the kernel). */
const implied: Partial<Record<Capability, Capability>> = { CAP_BPF: 'CAP_SYS_ADMIN' }

/** The `CapEff` of a /proc/PID/status. */
export function effectiveCapabilities(status: string): ReadonlySet<Capability> {
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  return new Set((Object.keys(bits) as Capability[]).filter(name => (mask >> bits[name]) % 2n === 1n))
}

/** Those of `needed` that are not among what a process has. */
export const lacking = (needed: readonly Capability[], has: ReadonlySet<Capability>): Capability[] =>
  needed.filter(name => !has.has(name) && !has.has(implied[name] ?? name))

/** Throws `CommandError` that names what is missing, before anything has been done. */
export function demandCapabilities(command: string, needed: readonly Capability[]): void {
  const missing = lacking(needed, effectiveCapabilities(readFileSync('/proc/self/status', 'utf8')))
  if (missing.length === 0) return
  const words = missing.length === 1 ? `the capability ${missing[0]}` : `the capabilities ${missing.join(', ')}`
  throw new CommandError(
    `${command} needs ${words}, which this process does not have; root has, and so have the units in packages/holdfast/systemd`,
    'CAPABILITIES',
  )
}

/** What it takes to listen on a port (ip(7), ip_unprivileged_port_start). */
export function portCapabilities(port: number): readonly Capability[] {
  const first = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))
  return port < first ? ['CAP_NET_BIND_SERVICE'] : []
}
