/** The shares of a node on one of its workers: those of the configuration, and those that were made while it ran. */

import { resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Serial } from '@holdfast/cluster'
import type { WorkerNode } from '@holdfast/engine'
import type { ServedShare, ShareControl } from '@holdfast/smb/server'
import { quoted } from '../config/errors.ts'
import { shareFlagsOf } from '../config/shares.ts'
import type { NodeShare } from '../node/node-config.ts'
import { tellWorkers, withSuccessor } from '../node/tell-workers.ts'
import { ResourceError } from '../resources/errors.ts'
import { checkOptions, checkShare } from './checks.ts'
import type { Again, ShareChange, ShareRequest } from './service.ts'
import type { ShareStore, StoredShare } from './share-store.ts'

/** The worker object of this name is on every worker. */
const objectId = 'shares'
/** The worker that makes, changes and deletes. It arbitrates between the opens of all shares as well, so it is nobody's detour. */
const manager = 0

/** What the shares of a worker are made of. */
export interface WorkerSharesOptions {
  readonly node: Pick<WorkerNode, 'index' | 'workers' | 'incarnation' | 'register' | 'call' | 'log'>
  /** Undefined in a node without a store, where none can be made. */
  readonly store: ShareStore | undefined
  /** The SMB server of this worker. */
  readonly control: Pick<ShareControl, 'add' | 'change' | 'withdraw' | 'endWaiting' | 'remove'>
  /** Those of the configuration, which the SMB server has already. */
  readonly configured: readonly NodeShare[]
  /** What the SMB server needs to serve a share. */
  readonly open: (share: NodeShare) => Promise<ServedShare>
  /** A share is gone for good. */
  readonly forget?: (name: string) => void
  readonly stateDir: string
}

/** Where a share's files are, for whoever looks whether they can be reached. */
export interface ShareFolder {
  readonly name: string
  /** Undefined where they are in no folder, or it is not served. */
  readonly path?: string
  readonly isServed: boolean
}

interface Create {
  readonly share: ShareRequest
  readonly again: boolean
}
interface Change {
  readonly name: string
  readonly change: ShareChange
}
interface Delete {
  readonly name: string
  readonly again: boolean
}

const keyOf = (name: string): string => name.toUpperCase()

/** Serves those that were made while the node ran. Rejects where the store does. */
export async function openWorkerShares(options: WorkerSharesOptions): Promise<WorkerShares> {
  const shares = new WorkerShares(options)
  await shares.begin()
  return shares
}

/** See above; whoever manages shares calls it on any worker. */
export class WorkerShares {
  readonly #options: WorkerSharesOptions
  readonly #configured: ReadonlyMap<string, NodeShare>
  /** Those of the store that are served here. */
  readonly #served = new Map<string, StoredShare>()
  readonly #nodeShares = new WeakMap<StoredShare, NodeShare>()
  /** Why those of the store are not. */
  readonly #problems = new Map<string, string>()
  readonly #looks = new Serial()
  readonly #changes = new Serial()

  constructor(options: WorkerSharesOptions) {
    this.#options = options
    this.#configured = new Map(options.configured.map(share => [keyOf(share.name), share]))
  }

  /** Before anybody is served. */
  async begin(): Promise<void> {
    const { node, store } = this.#options
    // First: who changes something from here on says so to this worker, and what was changed before is in the store.
    node.register(objectId, {
      look: (name: string) => this.#look(name),
      lookAgain: () => this.#lookAgain(),
      withdraw: (name: string) => this.#looks.run(keyOf(name), () => this.#options.control.withdraw(name)),
      endWaiting: (name: string) => this.#looks.run(keyOf(name), () => this.#options.control.endWaiting(name)),
      remove: (name: string) => this.#looks.run(keyOf(name), async () => this.#remove(name)),
      create: (asked: Create) => this.#changes.run(keyOf(asked.share.name), () => this.#create(asked)),
      change: (asked: Change) => this.#changes.run(keyOf(asked.name), () => this.#change(asked)),
      delete: (asked: Delete) => this.#changes.run(keyOf(asked.name), () => this.#delete(asked)),
    })
    if (store === undefined) return
    await this.#lookAgain()
    if (node.index === manager) this.#goOn().catch((error: unknown) => node.log('error', 'shares cannot be looked at', { error: String(error) }))
  }

  /** All that this worker serves, or should serve. */
  folders(): readonly ShareFolder[] {
    const configured = [...this.#configured.values()].map(({ name, source }) => ({
      name,
      ...(source.kind === 'directory' && { path: source.path }),
      isServed: true,
    }))
    const served = [...this.#served.values()].map(({ name, path }) => ({ name, path, isServed: true }))
    return [...configured, ...served, ...[...this.#problems.keys()].map(name => ({ name, isServed: false }))]
  }

  /** One that this worker serves, by name without regard to case: the same object as long as the share is the same. */
  find(name: string): NodeShare | undefined {
    const key = keyOf(name)
    const stored = this.#served.get(key)
    return this.#configured.get(key) ?? (stored && this.#asNodeShare(stored))
  }

  /** All that this worker serves. */
  list(): readonly NodeShare[] {
    return [...this.#configured.values(), ...[...this.#served.values()].map(stored => this.#asNodeShare(stored))]
  }

  #asNodeShare(stored: StoredShare): NodeShare {
    let share = this.#nodeShares.get(stored)
    if (share === undefined) this.#nodeShares.set(stored, (share = nodeShareOf(stored)))
    return share
  }

  /** Those of the store, and why the ones that this worker does not serve are not served. */
  async stored(): Promise<readonly (StoredShare & { readonly problem?: string })[]> {
    const all = (await this.#options.store?.list()) ?? []
    return all
      .filter(({ name, isEnding }) => isEnding !== true && !this.#configured.has(keyOf(name)))
      .map(share => ({ ...share, ...problemOf(this.#problems.get(keyOf(share.name))) }))
  }

  create(share: ShareRequest, { again = false }: Again = {}): Promise<void> {
    return this.#ask('create', isAgain => ({ share, again: again || isAgain }) satisfies Create)
  }

  change(name: string, change: ShareChange): Promise<void> {
    return this.#ask('change', () => ({ name, change }) satisfies Change)
  }

  delete(name: string, { again = false }: Again = {}): Promise<void> {
    return this.#ask('delete', isAgain => ({ name, again: again || isAgain }) satisfies Delete)
  }

  async #ask(method: string, argument: (again: boolean) => unknown): Promise<void> {
    await withSuccessor(again => this.#options.node.call(manager, objectId, method, argument(again)))
  }

  // On the worker that manages

  /** What a manager before this one may have left undone. */
  async #goOn(): Promise<void> {
    const { node, store } = this.#options
    for (const { name, isEnding } of await store!.list()) {
      if (isEnding === true) await this.#changes.run(keyOf(name), () => this.#end(name))
      else if (this.#configured.has(keyOf(name))) {
        node.log('warn', 'a share of the configuration has the name of one that was made while the node ran; that one is not served', { share: name })
      }
    }
    if (node.incarnation > 1) await tellWorkers(node, objectId, 'lookAgain', undefined)
  }

  async #create({ share, again }: Create): Promise<void> {
    const store = this.#store()
    const { name, comment = '' } = share
    checkShare(share, this.#options.stateDir)
    const wanted: StoredShare = { name, path: resolve(share.path), options: checkOptions(share.options ?? []), comment }
    const known = await store.get(name)
    if (known?.isEnding === true) await this.#end(name)
    else if (this.#configured.has(keyOf(name)) || (known !== undefined && !(again && isDeepStrictEqual(known, wanted)))) {
      throw new ResourceError('SHARE_EXISTS', `there is a share ${quoted(name)} already`)
    }
    await store.put(wanted)
    try {
      await this.#serve(name)
    } catch (error) {
      await this.#end(name)
      throw error
    }
  }

  async #change({ name, change }: Change): Promise<void> {
    const store = this.#store()
    const known = await this.#find(name)
    checkShare(change, this.#options.stateDir)
    const wanted: StoredShare = {
      name: known.name,
      path: change.path === undefined ? known.path : resolve(change.path),
      options: change.options === undefined ? known.options : checkOptions(change.options),
      comment: change.comment ?? known.comment,
    }
    await store.put(wanted)
    if (isAnother(known, wanted)) await this.#withdraw(name)
    await this.#serve(name)
  }

  async #delete({ name, again }: Delete): Promise<void> {
    const store = this.#store()
    const known = await this.#find(name).catch((error: unknown) => {
      if (again && error instanceof ResourceError && error.code === 'UNKNOWN_SHARE') return undefined
      throw error
    })
    if (known === undefined) return
    // From here on it ends, whoever dies.
    await store.put({ ...known, isEnding: true })
    await this.#end(name)
  }

  async #end(name: string): Promise<void> {
    await this.#withdraw(name)
    await this.#store().remove(name)
    this.#options.forget?.(name)
  }

  /** What is connected to it ends on all workers, then what waits, then what they have for it. */
  async #withdraw(name: string): Promise<void> {
    for (const step of ['withdraw', 'endWaiting', 'remove']) await tellWorkers(this.#options.node, objectId, step, name)
  }

  /** All workers have it as the store says. Throws ResourceError `INVALID_PATH` where it turns out that it cannot be served. */
  async #serve(name: string): Promise<void> {
    await tellWorkers(this.#options.node, objectId, 'look', name)
    const problem = this.#problems.get(keyOf(name))
    if (problem !== undefined) throw new ResourceError('INVALID_PATH', `the share ${quoted(name)} cannot be served: ${problem}`)
  }

  async #find(name: string): Promise<StoredShare> {
    const configured = this.#configured.get(keyOf(name))
    if (configured !== undefined) {
      const what = `the share ${quoted(configured.name)} is in the configuration`
      throw new ResourceError('SHARE_CONFIGURED', `${what}: change --share (or share in the configuration file), and start the node again`)
    }
    const known = await this.#store().get(name)
    if (known === undefined || known.isEnding === true) throw new ResourceError('UNKNOWN_SHARE', `there is no share ${quoted(name)}`)
    return known
  }

  #store(): ShareStore {
    const { store } = this.#options
    if (store === undefined) throw new ResourceError('STATE_UNAVAILABLE', 'this node has no store, in which shares could be kept')
    return store
  }

  // On every worker

  async #lookAgain(): Promise<void> {
    const stored = (await this.#options.store?.list()) ?? []
    const names = new Set([...this.#served.values(), ...stored].map(({ name }) => name))
    await Promise.all([...names].map(name => this.#look(name)))
  }

  /** Makes what is served here what the store says. */
  #look(name: string): Promise<void> {
    const key = keyOf(name)
    return this.#looks.run(key, async () => {
      const { store, control } = this.#options
      if (this.#configured.has(key)) return
      const stored = await store?.get(name)
      const wanted = stored?.isEnding === true ? undefined : stored
      const served = this.#served.get(key)
      if (wanted !== undefined && isDeepStrictEqual(served, wanted)) return
      this.#problems.delete(key)
      if (served !== undefined && (wanted === undefined || isAnother(served, wanted))) {
        // Whoever was to tell one step after the other has died.
        await control.withdraw(name)
        await control.endWaiting(name)
        this.#remove(name)
      }
      if (wanted !== undefined) await this.#take(wanted)
    })
  }

  async #take(share: StoredShare): Promise<void> {
    const { control, open, node } = this.#options
    const { name } = share
    try {
      if (this.#served.has(keyOf(name))) control.change(name, settingsOf(share))
      else control.add(await open(nodeShareOf(share)))
      this.#served.set(keyOf(name), share)
    } catch (error) {
      const { message } = error as Error
      this.#problems.set(keyOf(name), message)
      node.log('error', 'a share cannot be served', { share: name, error: message })
    }
  }

  #remove(name: string): void {
    this.#served.delete(keyOf(name))
    this.#problems.delete(keyOf(name))
    this.#options.control.remove(name)
  }
}

const problemOf = (problem: string | undefined): { readonly problem?: string } => (problem === undefined ? {} : { problem })

/** Files that are open cannot go on with it. */
const isAnother = (before: StoredShare, after: StoredShare): boolean =>
  before.path !== after.path ||
  (['continuous-availability', 'read-only'] as const).some(option => before.options.includes(option) !== after.options.includes(option))

const nodeShareOf = ({ name, path, options, comment }: StoredShare): NodeShare => ({
  name,
  source: { kind: 'directory', path },
  comment,
  ...shareFlagsOf(options),
})

function settingsOf({ options, comment }: StoredShare): Parameters<ShareControl['change']>[1] {
  const { encrypt, accessBasedEnumeration, delayedWriteTimes } = shareFlagsOf(options)
  return { encrypt, accessBasedEnumeration, delayedWriteTimes, comment }
}
