/** Files that are either as they were or as they were meant to be, also after a power cut. */

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Replaces `path`: written beside it, synced, renamed, the folder synced. Throws the filesystem's errors; then nothing has changed. */
export function writeFileAtomically(path: string, content: string | Uint8Array, mode = 0o600): void {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${process.pid}.tmp`)
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  rmSync(temporary, { force: true })
  const file = openSync(temporary, 'wx', mode)
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
    fsyncSync(file)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
  syncFolder(folder)
}

/** Makes a rename or a new name in a folder last. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
