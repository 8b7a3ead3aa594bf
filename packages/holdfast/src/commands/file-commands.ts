/** `ls`, `cat`, `rm`, `mkdir` on a server. */

import { formatSize } from '../config/units.ts'
import { codeOf, type RemoteEntry, type RemoteFiles } from '../remote/remote.ts'
import { parseRemoteUrl, type RemoteUrl } from '../remote/url.ts'
import { CommandError, type CommandContext, printable, writeAll, writeJson } from './context.ts'
import { type RemoteOptions, RemoteSessions } from './remote-session.ts'

export interface ListOptions extends RemoteOptions {
  readonly json?: boolean
  readonly long?: boolean
  readonly recursive?: boolean
}

export interface RemoveOptions extends RemoteOptions {
  readonly recursive?: boolean
  readonly force?: boolean
}

export interface MakeFolderOptions extends RemoteOptions {
  readonly parents?: boolean
}

export const joinPath = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`)
export const shownUrl = (url: RemoteUrl, path = url.path): string => `//${url.host}/${printable(joinPath(url.share, path))}`

/** The entry at a URL. Throws CommandError where there is none. */
export async function mustStat(files: RemoteFiles, url: RemoteUrl): Promise<RemoteEntry> {
  const entry = await files.stat(url.path)
  if (entry === undefined) throw new CommandError(`${shownUrl(url)}: there is no such file or folder`, 'not-found')
  return entry
}

const suffixes: Readonly<Record<RemoteEntry['kind'], string>> = { file: '', folder: '/', symlink: '@', other: '' }

function entryLine({ name, kind, sizeBytes, writtenAt }: RemoteEntry, { long = false }: ListOptions): string {
  const shown = `${printable(name)}${suffixes[kind]}`
  if (!long) return `${shown}\n`
  const size = kind === 'folder' ? '-' : formatSize(sizeBytes)
  return `${size.padStart(10)}  ${writtenAt.toISOString().slice(0, 16).replace('T', ' ')}  ${shown}\n`
}

const entryJson = ({ kind, sizeBytes, writtenAt }: RemoteEntry, path: string) => ({ path, kind, sizeBytes, writtenAt: writtenAt.toISOString() })

/** A folder's entries, a file itself, or the shares of a server. */
export async function list(context: CommandContext, text: string, options: ListOptions): Promise<void> {
  const url = parseRemoteUrl(text)
  await using sessions = new RemoteSessions(context, options)
  if (url.share === '') return await listShares(context, await sessions.server(url), options)
  const files = await sessions.files(url)
  const entry = await mustStat(files, url)
  const show = (found: RemoteEntry, path: string) =>
    options.json ? writeJson(context.out, entryJson(found, path)) : writeAll(context.out, entryLine({ ...found, name: path }, options))
  if (entry.kind !== 'folder') return show(entry, entry.name)
  // Paths are shown as seen from the folder that was asked for.
  const visit = async (folder: string, shown: string): Promise<void> => {
    const entries = options.json || options.recursive ? files.list(folder, context) : sorted(await Array.fromAsync(files.list(folder, context)))
    for await (const found of entries) {
      await show(found, joinPath(shown, found.name))
      if (options.recursive && found.kind === 'folder') await visit(joinPath(folder, found.name), joinPath(shown, found.name))
    }
  }
  await visit(url.path, '')
}

const sorted = (entries: RemoteEntry[]): RemoteEntry[] => entries.sort((a, b) => (a.name < b.name ? -1 : 1))

async function listShares(context: CommandContext, server: Awaited<ReturnType<RemoteSessions['server']>>, options: ListOptions): Promise<void> {
  for (const { name, kind, comment } of await server.shares()) {
    if (options.json) await writeJson(context.out, { share: name, kind, comment })
    else
      await writeAll(
        context.out,
        `${printable(name).padEnd(options.long ? 20 : 0)}${options.long ? ` ${kind.padEnd(8)} ${printable(comment)}` : ''}`.trimEnd() + '\n',
      )
  }
}

/** The content of files, one after the other. */
export async function cat(context: CommandContext, texts: readonly string[], options: RemoteOptions): Promise<void> {
  await using sessions = new RemoteSessions(context, options)
  for (const url of texts.map(parseRemoteUrl)) {
    const files = await sessions.files(url)
    const entry = await mustStat(files, url)
    if (entry.kind === 'folder') throw new CommandError(`${shownUrl(url)} is a folder`, 'is-folder')
    for await (const chunk of files.read(url.path, context)) await writeAll(context.out, chunk)
  }
}

/** Removes files, and with `recursive` folders. */
export async function remove(context: CommandContext, texts: readonly string[], options: RemoveOptions): Promise<void> {
  await using sessions = new RemoteSessions(context, options)
  for (const url of texts.map(parseRemoteUrl)) {
    const files = await sessions.files(url)
    if (url.path === '') throw new CommandError(`${shownUrl(url)} is a share: rm does not remove shares`, 'is-share')
    const entry = await files.stat(url.path)
    if (entry === undefined) {
      if (options.force) continue
      throw new CommandError(`${shownUrl(url)}: there is no such file or folder`, 'not-found')
    }
    if (entry.kind !== 'folder') await files.removeFile(url.path)
    else if (options.recursive) await removeTree(files, url.path, context.signal)
    else throw new CommandError(`${shownUrl(url)} is a folder; -r removes it with all that is in it`, 'is-folder')
  }
}

async function removeTree(files: RemoteFiles, folder: string, signal: AbortSignal): Promise<void> {
  // Names are taken first: removing while a listing runs confuses some servers.
  for (const entry of await Array.fromAsync(files.list(folder, { signal }))) {
    signal.throwIfAborted()
    const path = joinPath(folder, entry.name)
    if (entry.kind === 'folder') await removeTree(files, path, signal)
    else await files.removeFile(path)
  }
  await files.removeFolder(folder)
}

/** Makes folders, with `parents` those above as well. */
export async function makeFolders(context: CommandContext, texts: readonly string[], options: MakeFolderOptions): Promise<void> {
  await using sessions = new RemoteSessions(context, options)
  for (const url of texts.map(parseRemoteUrl)) {
    const files = await sessions.files(url)
    if (options.parents) await makeWithParents(files, url.path)
    else await files.makeFolder(url.path)
  }
}

/** As `mkdir -p`: what is there already is fine, if it is a folder. */
export async function makeWithParents(files: RemoteFiles, path: string): Promise<void> {
  const parts = path.split('/')
  for (let depth = 1; depth <= parts.length; depth++) {
    const folder = parts.slice(0, depth).join('/')
    if (folder !== '') await makeIfMissing(files, folder)
  }
}

export async function makeIfMissing(files: RemoteFiles, folder: string): Promise<void> {
  try {
    await files.makeFolder(folder)
  } catch (error) {
    if (codeOf(error) !== 'exists' || (await files.stat(folder))?.kind !== 'folder') throw error
  }
}
