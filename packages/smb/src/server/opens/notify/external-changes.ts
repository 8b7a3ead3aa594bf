import type { ExternalChange } from '@holdfast/storage'
import { foldPath, parentOf } from '../paths.ts'
import type { Scheduler } from '../scheduler.ts'
import type { MaybePromise } from '../types.ts'
import { changeOfExternal } from './changes.ts'
import { notifyActions, type FolderChange } from './types.ts'

/** How the filesystem is asked to report what others do in a folder (`FileSystem.watch`). */
export type FolderWatcher = (
  path: string,
  options: { readonly recursive: boolean },
  listener: (change: ExternalChange) => void,
) => MaybePromise<Disposable | undefined>

/** A report of the filesystem may overtake the other worker's word that it was its own doing. */
const settleMs = 100
/** … and may come this long after it. */
const echoMs = 2_000

const { added, removed, modified, renamedOldName, renamedNewName } = notifyActions

/** What the filesystem reports as the same event. */
const echoKinds: Readonly<Record<number, string>> = {
  [added]: 'appeared',
  [renamedNewName]: 'appeared',
  [removed]: 'disappeared',
  [renamedOldName]: 'disappeared',
  [modified]: 'modified',
}

const echoKey = ({ folder, name, action }: FolderChange): string => `${echoKinds[action] ?? 'modified'} ${foldPath(folder)}/${foldPath(name)}`

/** A change on the server's own behalf touches the file too. */
const modifiedKey = (change: FolderChange): string => echoKey({ ...change, action: modified })

interface Followed {
  watches: number
  stopped: boolean
  handle: Disposable | undefined
}

/** Changes made behind the server's back, as far as they are not echoes of what it did itself, on any worker. */
export class ExternalChanges {
  readonly #scheduler: Scheduler
  readonly #watchFolder: FolderWatcher | undefined
  readonly #publish: (changes: readonly FolderChange[]) => void
  readonly #followed = new Map<string, Followed>()
  /** When an echo was last announced, oldest first. */
  readonly #echoes = new Map<string, number>()
  #batch: { at: number; change: FolderChange }[] = []

  constructor(options: {
    readonly scheduler: Scheduler
    readonly watchFolder: FolderWatcher | undefined
    readonly publish: (changes: readonly FolderChange[]) => void
  }) {
    this.#scheduler = options.scheduler
    this.#watchFolder = options.watchFolder
    this.#publish = options.publish
  }

  follow(path: string, recursive: boolean): void {
    if (this.#watchFolder === undefined) return
    const key = followKey(path, recursive)
    const there = this.#followed.get(key)
    if (there !== undefined) {
      there.watches++
      return
    }
    const followed: Followed = { watches: 1, stopped: false, handle: undefined }
    this.#followed.set(key, followed)
    const started = (handle: Disposable | undefined): void => {
      if (followed.stopped) handle?.[Symbol.dispose]()
      else followed.handle = handle
    }
    const watching = this.#watchFolder(path, { recursive }, change => this.#report(change, key))
    // A folder that cannot be watched is one without external changes.
    if (watching instanceof Promise) watching.then(started, () => undefined)
    else started(watching)
  }

  unfollow(path: string, recursive: boolean): void {
    const key = followKey(path, recursive)
    const followed = this.#followed.get(key)
    if (followed === undefined || --followed.watches > 0) return
    this.#followed.delete(key)
    followed.stopped = true
    followed.handle?.[Symbol.dispose]()
  }

  /** The server did this itself: the filesystem's report of it is no news. */
  expectEcho(change: FolderChange): void {
    if (this.#watchFolder === undefined) return
    const now = this.#scheduler.now()
    for (const key of [echoKey(change), modifiedKey(change)]) {
      this.#echoes.delete(key)
      this.#echoes.set(key, now)
    }
    for (const [key, at] of this.#echoes) {
      if (now - at <= echoMs) break
      this.#echoes.delete(key)
    }
  }

  #report(external: ExternalChange, source: string): void {
    if (source !== this.#sourceFor(foldPath(external.folder), source)) return
    this.#batch.push({ at: this.#scheduler.now(), change: changeOfExternal(external) })
    if (this.#batch.length === 1) this.#scheduler.after(settleMs, () => this.#flush())
  }

  /** Where trees and folders that are followed overlap, the topmost tree reports. */
  #sourceFor(folder: string, otherwise: string): string {
    let topmost = otherwise
    for (let above: string | undefined = folder; above !== undefined; above = parentOf(above)) {
      const tree = followKey(above, true)
      if (this.#followed.has(tree)) topmost = tree
    }
    return topmost
  }

  #flush(): void {
    const batch = this.#batch
    this.#batch = []
    const news = batch.filter(({ at, change }) => {
      const announced = this.#echoes.get(echoKey(change))
      return announced === undefined || at - announced > echoMs
    })
    if (news.length > 0) this.#publish(news.map(({ change }) => change))
  }
}

const followKey = (path: string, recursive: boolean): string => `${recursive ? 'tree' : 'folder'} ${foldPath(path)}`
