/** Target port groups: which ports lead to a unit, and how well (SPC-4 5.15, asymmetric logical unit access). */

/** Asymmetric access states (SPC-4 table 'ASYMMETRIC ACCESS STATE field'). */
export const AccessState = {
  activeOptimized: 0x0,
  activeNonOptimized: 0x1,
  standby: 0x2,
  unavailable: 0x3,
  logicalBlockDependent: 0x4,
  offline: 0xe,
  transitioning: 0xf,
} as const

/** Who changed the state (SPC-4 table 'STATUS CODE field'). */
export const AccessStatusCode = { none: 0x00, bySetTargetPortGroups: 0x01, implicit: 0x02 } as const

/** Ports that are always in the same state. */
export interface TargetPortGroup {
  /** 1 to 65,535. */
  readonly id: number
  /** `AccessState` */
  readonly state: number
  readonly isPreferred: boolean
  /** `AccessStatusCode` */
  readonly statusCode: number
  /** Relative target port identifiers, 1 to 65,535. */
  readonly ports: readonly number[]
}

/** What a unit is told of its ports by who has them. */
export interface TargetPortGroups {
  /** At the moment. */
  readonly groups: readonly TargetPortGroup[]
  /** How long a transition takes at most, in seconds; 0: not told. */
  readonly implicitTransitionSeconds?: number
  /** The name of a port: `iqn.…,t,0x0001`. */
  nameOf?(relativeTargetPort: number): string | undefined
  /** Lets initiators choose (SET TARGET PORT GROUPS). Left out where only the target decides. */
  setState?(id: number, state: number): void | Promise<void>
  /** Called after `groups` has changed. Returns what stops it. */
  onChange(listener: () => void): () => void
}

/** Groups that never change: one, active and optimized, with the ports given. */
export function staticPortGroup(ports: readonly number[] = [1]): TargetPortGroups {
  const group: TargetPortGroup = { id: 1, state: AccessState.activeOptimized, isPreferred: false, statusCode: AccessStatusCode.none, ports }
  return { groups: [group], onChange: () => () => {} }
}
