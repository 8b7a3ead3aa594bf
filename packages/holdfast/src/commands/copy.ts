/** `cp`: between this machine and a server, or between servers. */

import { createReadStream } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { ConfigError } from '../config/errors.ts'
import { createProgress, noProgress, type Progress } from '../remote/progress.ts'
import { codeOf, type RemoteFiles } from '../remote/remote.ts'
import { isRemote, parseRemoteUrl } from '../remote/url.ts'
import { CommandError, type CommandContext, printable, writeJson } from './context.ts'
import { joinPath, makeIfMissing } from './file-commands.ts'
import { type RemoteOptions, RemoteSessions } from './remote-session.ts'

export interface CopyOptions extends RemoteOptions {
  readonly json?: boolean
  readonly recursive?: boolean
  readonly quiet?: boolean
}

const chunkBytes = 1 << 20

/** One end of a copy; the same for a folder here and a share there. */
interface Place {
  /** As shown to people. */
  describe(path: string): string
  stat(path: string): Promise<{ readonly kind: 'file' | 'folder' | 'symlink' | 'other'; readonly sizeBytes: number } | undefined>
  names(path: string): AsyncIterable<string>
  read(path: string, signal: AbortSignal): AsyncIterable<Uint8Array>
  write(path: string, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>
  makeFolder(path: string): Promise<void>
  join(folder: string, name: string): string
  basename(path: string): string
}

interface End {
  readonly place: Place
  readonly path: string
  /** Written with a slash at its end. */
  readonly isFolder: boolean
}

const here: Place = {
  describe: path => printable(path),
  async stat(path) {
    try {
      const found = await stat(path)
      const kind = found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other'
      return { kind, sizeBytes: found.size }
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
      throw error
    }
  },
  async *names(path) {
    yield* await readdir(path)
  },
  read: (path, signal) => createReadStream(path, { highWaterMark: chunkBytes, signal }) as AsyncIterable<Uint8Array>,
  write: writeHere,
  async makeFolder(path) {
    try {
      await mkdir(path)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error
    }
  },
  join,
  basename,
}

/** Beside the target first, so that a copy that fails leaves what was there; devices and the like are written as they are. */
async function writeHere(path: string, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const existing = await lstat(path).catch(() => undefined)
  const direct = existing !== undefined && !existing.isFile()
  const target = direct ? path : `${path}.${process.pid}.part`
  try {
    await using file = await open(target, direct ? 'w' : 'wx', existing === undefined ? 0o666 : existing.mode & 0o777)
    for await (const chunk of chunks) {
      signal.throwIfAborted()
      for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten
    }
  } catch (error) {
    if (!direct) await rm(target, { force: true })
    throw error
  }
  if (!direct) await rename(target, path)
}

const there = (files: RemoteFiles, describe: string): Place => ({
  describe: path => printable(joinPath(describe, path)),
  stat: path => files.stat(path),
  async *names(path) {
    for await (const { name } of files.list(path)) yield name
  },
  read: (path, signal) => files.read(path, { signal }),
  write: (path, chunks, signal) => files.write(path, chunks, { signal }),
  makeFolder: path => makeIfMissing(files, path),
  join: joinPath,
  basename: path => path.slice(path.lastIndexOf('/') + 1),
})

interface Copy {
  readonly from: Place
  readonly to: Place
  readonly progress: Progress
  readonly options: CopyOptions
  readonly context: CommandContext
}

/** Copies files, and with `recursive` folders; into the last argument where that is a folder, else as it. */
export async function copy(context: CommandContext, texts: readonly string[], options: CopyOptions): Promise<void> {
  const [targetText = '', ...sourceTexts] = [...texts].reverse()
  if (sourceTexts.length === 0) throw new ConfigError('cp needs a source and a target')
  if (![targetText, ...sourceTexts].some(isRemote))
    throw new ConfigError('neither source nor target is a URL; allowed: smb://user@host[:port]/share/path')
  const showProgress = context.terminal && !options.quiet && !options.json
  const progress = showProgress ? createProgress({ write: text => void context.err.write(text), columns: context.columns }) : noProgress
  await using sessions = new RemoteSessions(context, options, kind =>
    progress.pause(kind === 'lost' ? 'connection lost, reconnecting...' : undefined),
  )
  const endOf = async (text: string): Promise<End> => {
    if (!isRemote(text)) return { place: here, path: resolve(context.cwd, text), isFolder: text.endsWith('/') }
    const url = parseRemoteUrl(text)
    return { place: there(await sessions.files(url), `//${url.host}/${url.share}`), path: url.path, isFolder: url.isFolder }
  }
  const target = await endOf(targetText)
  const into = target.path === '' || (await target.place.stat(target.path))?.kind === 'folder'
  if (!into && (target.isFolder || sourceTexts.length > 1)) throw new CommandError(`${target.place.describe(target.path)} is no folder`, 'not-folder')

  try {
    for (const text of sourceTexts.reverse()) {
      const source = await endOf(text)
      const name = source.place.basename(source.path)
      if (into && name === '') throw new ConfigError('a whole share cannot be copied into a folder; name a target that is not there yet')
      await copyTree(
        { from: source.place, to: target.place, progress, options, context },
        { source: source.path, target: into ? target.place.join(target.path, name) : target.path },
      )
    }
  } finally {
    progress.end()
  }
}

async function copyTree(copy: Copy, { source, target }: { readonly source: string; readonly target: string }): Promise<void> {
  const { from, to, context, options } = copy
  context.signal.throwIfAborted()
  const found = source === '' ? { kind: 'folder', sizeBytes: 0 } : await from.stat(source)
  if (found === undefined) throw new CommandError(`${from.describe(source)}: there is no such file or folder`, 'not-found')
  if (found.kind === 'folder') {
    if (!options.recursive) throw new CommandError(`${from.describe(source)} is a folder; -r copies it with all that is in it`, 'is-folder')
    await to.makeFolder(target)
    for await (const name of from.names(source))
      await copyTree(copy, { source: from.join(source, name), target: to.join(target, localName(name, to)) })
    return
  }
  if (from === to && source === target) throw new CommandError(`${from.describe(source)} is source and target`, 'same-file')
  await copyFile(copy, { source, target, sizeBytes: found.kind === 'file' ? found.sizeBytes : undefined })
}

/** A server must not choose where on this machine something is written. */
function localName(name: string, to: Place): string {
  if (to === here && (name === '' || name === '.' || name === '..' || /[/\u0000]/.test(name))) {
    throw new CommandError(`the server names a file ${JSON.stringify(name)}, which cannot be one here`, 'invalid-name')
  }
  return name
}

interface OneFile {
  readonly source: string
  readonly target: string
  readonly sizeBytes: number | undefined
}

/** A connection that is lost again and again is better given up. */
const restartsMax = 10

/** Copies a file; from the start again when the connection was lost, and the server did not keep the file open. */
async function copyFile(copy: Copy, file: OneFile): Promise<void> {
  const { from, to, progress, options, context } = copy
  const startedMs = performance.now()
  for (let restarts = 0; ; restarts++) {
    try {
      const bytes = await copyOnce(copy, file)
      if (!options.json) return
      const seconds = Number(((performance.now() - startedMs) / 1000).toFixed(3))
      return await writeJson(context.out, { from: from.describe(file.source), to: to.describe(file.target), bytes, seconds })
    } catch (error) {
      if (codeOf(error) !== 'HANDLE_LOST' || restarts === restartsMax) throw error
      progress.end()
      if (context.terminal && !options.quiet)
        context.err.write(`${from.describe(file.source)}: the connection was lost, and the server closed the file; copied from the start again\n`)
    }
  }
}

/** Resolves with the number of bytes. */
async function copyOnce({ from, to, progress, context }: Copy, { source, target, sizeBytes }: OneFile): Promise<number> {
  let bytes = 0
  progress.begin(printable(from.basename(source)), sizeBytes)
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of from.read(source, context.signal)) {
      bytes += chunk.length
      progress.add(chunk.length)
      yield chunk
    }
  }
  await to.write(target, counted(), context.signal)
  return bytes
}
