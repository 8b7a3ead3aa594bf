/** Folders that are gone when the test is. */
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mustRun } from './command.ts'

/** A folder of one test; removed with `await using`. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string
  /** A path below the folder. */
  at(...names: readonly string[]): string
}

/**
 * Makes a folder that every user may enter (smbd acts as the user who logged in). In memory (/dev/shm) where there is room for
 * `needBytes`, so that a test waits for no disk.
 */
export function temporaryFolder(name: string, options: { readonly needBytes?: number } = {}): TemporaryFolder {
  const path = mkdtempSync(join(parentFolder(options.needBytes ?? 256 * 1024 * 1024), `holdfast-${name}-`))
  chmodSync(path, 0o755)
  return {
    path,
    at: (...names) => join(path, ...names),
    async [Symbol.asyncDispose]() {
      rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}

function parentFolder(needBytes: number): string {
  const memory = '/dev/shm'
  if (!existsSync(memory)) return tmpdir()
  const { bavail, bsize } = statfsSync(memory)
  return bavail * bsize >= needBytes ? memory : tmpdir()
}

/** Mounts a filesystem of `sizeBytes` in memory at an existing folder; unmounted with `await using`. Root only. */
export async function mountSmallFilesystem(path: string, sizeBytes: number): Promise<AsyncDisposable> {
  await mustRun('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', path])
  return {
    async [Symbol.asyncDispose]() {
      await mustRun('umount', ['-l', path])
    },
  }
}

/** Bytes that no compression or block sharing makes smaller. */
export function randomContent(lengthBytes: number): Buffer {
  return randomBytes(lengthBytes)
}
