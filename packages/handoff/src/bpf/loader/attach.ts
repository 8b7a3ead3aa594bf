/** How a program gets to an interface, and stays. */

import { createTcxLink } from '@holdfast/posix/bpf'
import type { BpfLink, BpfProgram, Direction } from '@holdfast/posix/bpf'
import { PosixError, errno } from '@holdfast/posix'
import { addClsact, attachFilter, detachFilter } from '@holdfast/posix/netlink'
import type { FilterPlace } from '@holdfast/posix/netlink'
import { interfaceIndex, interfaceType } from '@holdfast/posix/network'
import { UsageError } from '@holdfast/wire'
import { pinName } from './pins.ts'
import type { Pins } from './pins.ts'

/** `auto`: tcx where the kernel has it (Linux 6.6), clsact elsewhere. */
export type AttachMethod = 'auto' | 'tcx' | 'clsact'

/** What came of it. */
export interface Attached {
  readonly method: 'tcx' | 'clsact'
  /** Links, programs and maps outlive the process. */
  readonly isPinned: boolean
  /** Why they do not although they were to: in words. */
  readonly notPinned: string | undefined
  /** Maps with their entries were there already. */
  readonly isResumed: boolean
}

/** Whose programs they are: an interface may have those of both. */
export type Role = 'director' | 'serverAgent'

/** Where a program is to work. */
export interface AttachPlace {
  readonly role: Role
  /** Name of the interface. */
  readonly interface: string
  readonly interfaceIndex: number
  readonly direction: Direction
}

/** ARPHRD_ETHER, ARPHRD_LOOPBACK (linux/if_arp.h): packets have an Ethernet header in front. Tunnels have none. */
const typesWithEthernet: readonly number[] = [1, 772]
const ethernetBytes = 14

/** Length of the header in front of an interface's packets. Throws UsageError `no-interface`. */
export function linkBytesOf(name: string): number {
  const type = interfaceType(name)
  if (type < 0) throw new UsageError('no-interface', `there is no interface ${name}`)
  return typesWithEthernet.includes(type) ? ethernetBytes : 0
}

/** The place of an interface by its name. Throws UsageError `no-interface`. */
export function placeOf(role: Role, name: string, direction: Direction): AttachPlace {
  const index = interfaceIndex(name)
  if (index < 0) throw new UsageError('no-interface', `there is no interface ${name}`)
  return { role, interface: name, interfaceIndex: index, direction }
}

const linkName = (place: AttachPlace): string => `${place.direction}-${pinName(place.interface)}`

/** Which of an interface's filters they are, where others use clsact as well. */
const filterPriorities: Readonly<Record<Role, number>> = { director: 4450, serverAgent: 4451 }
const filterOf = ({ role, interfaceIndex, direction }: AttachPlace): FilterPlace => ({ interfaceIndex, direction, priority: filterPriorities[role] })

/** A program that is at work. */
export interface Attachment {
  readonly method: 'tcx' | 'clsact'
  /** Ends it if nothing holds it but this process. */
  readonly release: () => void
}

/** Puts a program at an interface, in place of the one that is there by the same name. */
export function attachProgram(program: BpfProgram, place: AttachPlace, method: AttachMethod, pins: Pins): Attachment {
  if (method === 'clsact') return attachByClsact(program, place, pins)
  try {
    return attachByTcx(program, place, pins)
  } catch (error) {
    const isUnknown = error instanceof PosixError && error.errno === errno.EINVAL
    if (method === 'tcx' || !isUnknown) throw error
    return attachByClsact(program, place, pins)
  }
}

function attachByTcx(program: BpfProgram, place: AttachPlace, pins: Pins): Attachment {
  const link = updated(program, place, pins) ?? created(program, place, pins)
  // Both would change each packet, so one that was put there otherwise goes.
  detachFilter(filterOf(place))
  return { method: 'tcx', release: () => link[Symbol.dispose]() }
}

function updated(program: BpfProgram, place: AttachPlace, pins: Pins): BpfLink | undefined {
  const link = pins.link(linkName(place))
  if (link === undefined) return undefined
  if (link.info().interfaceIndex === place.interfaceIndex) {
    link.update(program)
    return link
  }
  // Of an interface that is gone; its name is another's now.
  link[Symbol.dispose]()
  pins.remove(linkName(place))
  return undefined
}

function created(program: BpfProgram, place: AttachPlace, pins: Pins): BpfLink {
  const link = createTcxLink(program, place.interfaceIndex, place.direction)
  pins.pin(linkName(place), link)
  return link
}

function attachByClsact(program: BpfProgram, place: AttachPlace, pins: Pins): Attachment {
  addClsact(place.interfaceIndex)
  attachFilter(program, filterOf(place), `holdfast ${place.direction}`)
  pins.remove(linkName(place))
  return {
    method: 'clsact',
    release: () => {
      // It stays without a pin, which is right only where the map is found again.
      if (!pins.isThere) detachFilter(filterOf(place))
    },
  }
}

/** Takes a program away that was put there by clsact. */
export function detachByClsact(role: Role, name: string, direction: Direction): void {
  // An interface that is gone has no filters.
  if (interfaceIndex(name) > 0) detachFilter(filterOf(placeOf(role, name, direction)))
}
