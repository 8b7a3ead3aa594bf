/**
 * One inotify instance for a filesystem object. It keeps folder indexes exact and tells listeners what others changed.
 *
 * An event is queued by the kernel before the system call that caused it returns. So what is pending when one of our own
 * operations starts is somebody else's, and what comes until it ends and bears its name is ours (`begin`, `end`).
 */
import {
  AT_SYMLINK_NOFOLLOW,
  DT_DIR,
  DT_UNKNOWN,
  IN_ATTRIB,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_IGNORED,
  IN_ISDIR,
  IN_MASK_ADD,
  IN_MODIFY,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_ONLYDIR,
  IN_Q_OVERFLOW,
  Inotify,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  StatBuffer,
  close,
  openAt,
  readFolder,
  statAt,
  statFd,
} from '@holdfast/posix'
import { FsError, type ExternalChange } from '../filesystem.ts'
import { joinPath } from '../paths.ts'
import { decodeName, diskPath } from './names.ts'

const indexMask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR | IN_MASK_ADD
const listenMask = indexMask | IN_MODIFY | IN_ATTRIB
const removed = IN_DELETE_SELF | IN_IGNORED

/** Those who want to know what happens to a folder's names (the indexes). */
export interface NameObserver {
  changed(key: string, name: string, present: boolean): void
  drop(key: string): void
  dropAll(): void
}

interface Listener {
  readonly root: string
  readonly recursive: boolean
  readonly notify: (change: ExternalChange) => void
}

interface Watched {
  readonly watch: number
  readonly key: string
  indexed: boolean
  /** Listeners, and the folder's path as each knows it. */
  readonly listeners: Map<Listener, string>
}

export interface WatcherOptions {
  /** False where inotify does not see changes made elsewhere (network filesystems): nothing is watched. */
  readonly trusted: boolean
  /** Most folders that listeners may have watched, those below a recursive one included. */
  readonly maxListenedFolders: number
  /** How often pending changes are delivered, in ms. */
  readonly pollIntervalMs: number
  /** The name that does not exist for anybody. */
  readonly hiddenName: string
}

export class FolderWatcher {
  readonly #options: WatcherOptions
  readonly #byWatch = new Map<number, Watched>()
  readonly #byKey = new Map<string, Watched>()
  readonly #stat = new StatBuffer()
  /** Names that our own operations under way concern, and how many. */
  readonly #ours = new Map<string, number>()
  #inotify: Inotify | undefined
  #unavailable = false
  #timer: NodeJS.Timeout | undefined
  #listeners = 0
  /** IN_MOVED_FROM waits for its IN_MOVED_TO, which follows at once if it comes. */
  #moved: { cookie: number; watched: Watched; name: string; isFolder: boolean } | undefined
  observer: NameObserver | undefined

  constructor(options: WatcherOptions) {
    this.#options = options
    this.#unavailable = !options.trusted
  }

  /** Somebody listens for others' changes, so own ones must be told apart. */
  get listening(): boolean {
    return this.#listeners > 0
  }

  /** Watches a folder for its index. False where that is not possible. */
  keepIndexed(folderFd: number, key: string): boolean {
    const watched = this.#watch(folderFd, key, indexMask)
    if (watched === undefined) return false
    watched.indexed = true
    return true
  }

  forgetIndexed(key: string): void {
    const watched = this.#byKey.get(key)
    if (watched === undefined) return
    watched.indexed = false
    this.#release(watched)
  }

  /** Calls `notify` for what others change in a folder until disposed. Throws `not-supported` where inotify cannot tell. */
  listen(folderFd: number, path: string, recursive: boolean, notify: (change: ExternalChange) => void): Disposable {
    this.drain()
    const listener: Listener = { root: path, recursive, notify }
    if (!this.#follow(listener, folderFd, path, false)) throw new FsError('not-supported', 'the folder cannot be watched')
    this.#listeners++
    this.#timer ??= setInterval(() => this.drain(), this.#options.pollIntervalMs).unref()
    let disposed = false
    return {
      [Symbol.dispose]: () => {
        if (disposed) return
        disposed = true
        if (--this.#listeners === 0) {
          clearInterval(this.#timer)
          this.#timer = undefined
        }
        for (const watched of this.#byWatch.values()) if (watched.listeners.delete(listener)) this.#release(watched)
      },
    }
  }

  /** One of our own operations on these names starts. Cheap when nobody listens. */
  begin(name: string, other?: string): void {
    if (this.#listeners === 0) return
    this.drain()
    this.#ours.set(name, (this.#ours.get(name) ?? 0) + 1)
    if (other !== undefined) this.#ours.set(other, (this.#ours.get(other) ?? 0) + 1)
  }

  end(name: string, other?: string): void {
    if (this.#ours.size === 0) return
    this.drain()
    for (const ended of other === undefined ? [name] : [name, other]) {
      const count = this.#ours.get(ended) ?? 0
      if (count > 1) this.#ours.set(ended, count - 1)
      else this.#ours.delete(ended)
    }
  }

  /** Deals with all that is pending. */
  drain(): void {
    if (this.#inotify === undefined) return
    this.#inotify.drain((watch, mask, cookie, bytes, start, end) => {
      if ((mask & IN_Q_OVERFLOW) !== 0) return this.#overflow()
      const watched = this.#byWatch.get(watch)
      if (watched === undefined) return
      if ((mask & removed) !== 0) return this.#gone(watched)
      if (start === end) return
      const name = decodeName(bytes, start, end)
      if (watched.indexed && (mask & (IN_CREATE | IN_MOVED_TO)) !== 0) this.observer?.changed(watched.key, name, true)
      if (watched.indexed && (mask & (IN_DELETE | IN_MOVED_FROM)) !== 0) this.observer?.changed(watched.key, name, false)
      if (watched.listeners.size > 0 || this.#moved !== undefined) this.#tell(watched, mask, cookie, name)
    })
    this.#flushMoved()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#listeners = 0
    this.#byWatch.clear()
    this.#byKey.clear()
    this.#inotify?.close()
    this.#inotify = undefined
    this.#unavailable = true
  }

  #watch(folderFd: number, key: string, mask: number): Watched | undefined {
    if (this.#unavailable) return undefined
    try {
      this.#inotify ??= new Inotify()
    } catch {
      // The limit of instances per user is reached: folders are compared by their times instead.
      this.#unavailable = true
      return undefined
    }
    const watch = this.#inotify.add(`/proc/self/fd/${folderFd}`, mask)
    if (watch < 0) return undefined
    let watched = this.#byWatch.get(watch)
    if (watched === undefined) {
      watched = { watch, key, indexed: false, listeners: new Map() }
      this.#byWatch.set(watch, watched)
      this.#byKey.set(key, watched)
    }
    return watched
  }

  #release(watched: Watched): void {
    if (watched.indexed || watched.listeners.size > 0) return
    this.#byWatch.delete(watched.watch)
    this.#byKey.delete(watched.key)
    this.#inotify?.remove(watched.watch)
  }

  #gone(watched: Watched): void {
    this.#byWatch.delete(watched.watch)
    if (this.#byKey.get(watched.key) === watched) this.#byKey.delete(watched.key)
    this.observer?.drop(watched.key)
  }

  #overflow(): void {
    this.observer?.dropAll()
    for (const watched of this.#byWatch.values()) {
      watched.indexed = false
      for (const [listener, path] of watched.listeners) {
        if (path === listener.root) listener.notify({ folder: path, action: 'modified', name: '', isFolder: true })
      }
      this.#release(watched)
    }
  }

  /** Adds a listener to a folder and, where it is recursive, to those below. */
  #follow(listener: Listener, folderFd: number, path: string, announce: boolean): boolean {
    if (this.#listenedFolders() >= this.#options.maxListenedFolders || statFd(folderFd, this.#stat) < 0) return false
    const watched = this.#watch(folderFd, this.#stat.key, listenMask)
    if (watched === undefined) return false
    watched.listeners.set(listener, path)
    if (!listener.recursive) return true
    const children: [string, boolean][] = []
    const fd = openAt(folderFd, '.', O_RDONLY | O_DIRECTORY)
    if (fd < 0) return true
    readFolder(fd, (bytes, start, end, type) => {
      const maybeFolder = type === DT_DIR || type === DT_UNKNOWN
      if (maybeFolder || announce) children.push([decodeName(bytes, start, end), maybeFolder])
    })
    for (const [name, maybeFolder] of children) {
      if (name === this.#options.hiddenName) continue
      if (announce) this.#notify(listener, path, 'added', name, maybeFolder)
      if (!maybeFolder || statAt(fd, diskPath(name), AT_SYMLINK_NOFOLLOW, this.#stat) < 0 || !this.#stat.isFolder) continue
      const childFd = openAt(fd, diskPath(name), O_PATH | O_DIRECTORY | O_NOFOLLOW)
      if (childFd < 0) continue
      this.#follow(listener, childFd, joinPath(path, name), announce)
      close(childFd)
    }
    close(fd)
    return true
  }

  #listenedFolders(): number {
    return this.#byWatch.size
  }

  #tell(watched: Watched, mask: number, cookie: number, name: string): void {
    const isFolder = (mask & IN_ISDIR) !== 0
    const pending = this.#moved
    if (pending !== undefined && (mask & IN_MOVED_TO) !== 0 && pending.cookie === cookie && pending.watched === watched) {
      this.#moved = undefined
      this.#announce(watched, 'renamed-from', pending.name, isFolder)
      this.#announce(watched, 'renamed-to', name, isFolder)
    } else {
      this.#flushMoved()
      if ((mask & IN_MOVED_FROM) !== 0) this.#moved = { cookie, watched, name, isFolder }
      else if ((mask & (IN_CREATE | IN_MOVED_TO)) !== 0) this.#announce(watched, 'added', name, isFolder)
      else if ((mask & IN_DELETE) !== 0) this.#announce(watched, 'removed', name, isFolder)
      else if ((mask & IN_MODIFY) !== 0) this.#announce(watched, 'modified', name, isFolder)
      else if ((mask & IN_ATTRIB) !== 0) this.#announce(watched, 'metadata', name, isFolder)
    }
    if (isFolder && (mask & IN_MOVED_FROM) !== 0) this.#unfollow(watched, name)
    if (isFolder && (mask & (IN_CREATE | IN_MOVED_TO)) !== 0) this.#followNew(watched, name)
  }

  #flushMoved(): void {
    const pending = this.#moved
    if (pending === undefined) return
    this.#moved = undefined
    this.#announce(pending.watched, 'removed', pending.name, pending.isFolder)
  }

  #announce(watched: Watched, action: ExternalChange['action'], name: string, isFolder: boolean): void {
    for (const [listener, path] of watched.listeners) this.#notify(listener, path, action, name, isFolder)
  }

  #notify(listener: Listener, folder: string, action: ExternalChange['action'], name: string, isFolder: boolean): void {
    if (this.#ours.has(name) || name === this.#options.hiddenName) return
    listener.notify({ folder, action, name, isFolder })
  }

  /** A folder has come into one that is watched recursively. */
  #followNew(watched: Watched, name: string): void {
    for (const [listener, path] of watched.listeners) {
      if (!listener.recursive || name === this.#options.hiddenName) continue
      const fd = this.openFolder(joinPath(path, name))
      if (fd < 0) continue
      this.#follow(listener, fd, joinPath(path, name), !this.#ours.has(name))
      close(fd)
    }
  }

  /** A folder has gone from one that is watched recursively. */
  #unfollow(watched: Watched, name: string): void {
    for (const [listener, path] of watched.listeners) {
      if (!listener.recursive) continue
      const gone = joinPath(path, name)
      for (const other of this.#byWatch.values()) {
        const known = other.listeners.get(listener)
        if (known !== gone && !known?.startsWith(`${gone}/`)) continue
        other.listeners.delete(listener)
        this.#release(other)
      }
    }
  }

  /** Opens a folder by its path below the root, or -errno. Set by the owner. */
  openFolder: (path: string) => number = () => -1
}
