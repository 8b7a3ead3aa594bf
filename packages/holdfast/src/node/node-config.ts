/** A validated node, as plain data: structured-cloneable, so that workers get it as it is. */

import type { Address } from '../config/addresses.ts'
import type { Config } from '../config/config.ts'
import type { ConfiguredLimits } from '../config/limits.ts'
import type { VolumeAccess, VolumeBlockBytes, VolumeSettings } from '../config/volumes.ts'
import type { Identity } from '../state/folder.ts'
import { controlSocketOf } from './control-socket.ts'

/** Where a share's files come from. */
export type ShareSource =
  | { readonly kind: 'directory'; readonly path: string }
  /** A module that exports `fileSystem(options)`; every worker imports it. */
  | { readonly kind: 'module'; readonly url: string; readonly options: unknown }
  /** A FileSystem object of the calling thread, found under the share's name in `NodeResources`; in-thread nodes only. */
  | { readonly kind: 'object' }

export interface NodeShare {
  readonly name: string
  readonly source: ShareSource
  readonly comment: string
  readonly readOnly: boolean
  readonly encrypt: boolean
  readonly accessBasedEnumeration?: boolean
  readonly delayedWriteTimes?: boolean
  /** Over HTTP: who does not say who they are may read it, its pages may run scripts. */
  readonly isPublic?: boolean
  readonly hasActiveContent?: boolean
  /** Persistent handles, and writes on stable storage before the answer. */
  readonly continuouslyAvailable?: boolean
  /** Everybody where undefined. */
  readonly users?: readonly string[]
}

/** A block device of the calling thread, found under its name in `NodeResources`; in-thread nodes only. */
export interface NodeDevice extends VolumeAccess {
  readonly name: string
  readonly blockBytes: VolumeBlockBytes
}

/** A user that the configuration names: it gives the password, and to administrators the role. */
export interface ConfiguredUser {
  readonly name: string
  readonly isAdmin: boolean
}

/** Login with Kerberos. */
export interface NodeKerberos {
  /** Absolute path. */
  readonly keytab: string
  /** Whose principals are users here; the keytab's where undefined. */
  readonly realms?: readonly string[]
}

export interface NodeConfig {
  /** NetBIOS name, and the domain of local users, in upper case. */
  readonly name: string
  /** Absolute path. Workers read users from here. */
  readonly stateDir: string
  readonly identity: Identity
  readonly shares: readonly NodeShare[]
  /** Whom the configuration names; others are in the state already. */
  readonly users?: readonly ConfiguredUser[]
  /** Those that the configuration names; others are in the state already. */
  readonly volumes: readonly VolumeSettings[]
  /** Served beside the volumes. */
  readonly devices?: readonly NodeDevice[]
  /** Absolute path of the folder that has the volumes' bytes; where undefined, the one of the last time, at first `volumes` in the state. */
  readonly volumesDir?: string
  /** Absolute path of the Unix socket where the commands of this machine reach the node; nowhere where undefined. */
  readonly controlSocket?: string
  readonly smb: readonly Address[]
  readonly iscsi: readonly Address[]
  /** The user whose name and password show initiators who the target is (mutual CHAP, RFC 7143 12.1.3). */
  readonly mutualChap?: string
  readonly http: readonly Address[]
  /** HTTP content of the shares. */
  readonly content?: readonly Address[]
  readonly workers?: number
  /** When the node was started, in ISO 8601; set when it is. */
  readonly startedAt?: string
  /** What the log takes: workers do not even tell what is below. `info` where undefined. */
  readonly logLevel?: string
  /** The one worker lives in the calling thread. */
  readonly inThread?: boolean
  /** Shared memory of each share's open table, in the order of `shares`; made when the node starts. */
  readonly partitions?: readonly SharedArrayBuffer[]
  readonly signing: 'required' | 'enabled'
  readonly kerberos?: NodeKerberos
  /** Login with a password; `on` where undefined. */
  readonly ntlm?: 'on' | 'off'
  /** Sessions for clients without a name, which reach no share; `off` where undefined. */
  readonly anonymous?: 'on' | 'off'
  /** Who may read `/metrics`; `login` where undefined. */
  readonly metrics?: 'login' | 'open'
  readonly limits: ConfiguredLimits
}

/** Whether a node has volumes, or may be given some while it runs. */
export const hasVolumes = ({
  volumes,
  devices = [],
  iscsi,
  http,
  controlSocket,
}: Pick<NodeConfig, 'volumes' | 'devices' | 'iscsi' | 'http' | 'controlSocket'>): boolean =>
  volumes.length > 0 || devices.length > 0 || iscsi.length > 0 || isManaged({ http, controlSocket })

/** Whether anybody can ask a node for something by its API. */
export const isManaged = ({ http, controlSocket }: { readonly http: readonly Address[]; readonly controlSocket?: string | undefined }): boolean =>
  http.length > 0 || controlSocket !== undefined

const namesOf = (users: readonly { readonly name: string }[]): readonly string[] => users.map(({ name }) => name)

/** Who is both is an administrator. */
export const configuredUsers = (users: readonly string[], admins: readonly string[]): readonly ConfiguredUser[] => {
  const isAdmin = (name: string): boolean => admins.some(admin => admin.toUpperCase() === name.toUpperCase())
  return [...users.filter(name => !isAdmin(name)), ...admins].map(name => ({ name, isAdmin: isAdmin(name) }))
}

/** What the command line's configuration means for a node. */
export function nodeConfigOf(config: Config, identity: Identity): NodeConfig {
  return {
    name: config.nodeName.toUpperCase(),
    stateDir: config.stateDir,
    identity,
    shares: config.shares.map(({ path, ...share }) => ({ ...share, source: { kind: 'directory', path } })),
    users: configuredUsers(namesOf(config.users), namesOf(config.admins)),
    volumes: config.volumes,
    ...(config.volumesDir !== undefined && { volumesDir: config.volumesDir }),
    controlSocket: controlSocketOf(config.stateDir),
    smb: config.smb,
    iscsi: config.iscsi,
    ...(config.mutualChap !== undefined && { mutualChap: config.mutualChap }),
    http: config.http,
    content: config.content,
    ...(config.workers !== undefined && { workers: config.workers }),
    signing: config.signing,
    ...(config.kerberos && { kerberos: config.kerberos }),
    ntlm: config.ntlm,
    anonymous: config.anonymous,
    metrics: config.metrics,
    limits: config.limits,
  }
}
