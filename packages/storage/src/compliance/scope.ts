import assert from 'node:assert/strict'
import type { CreateOptions, FileHandle, FileInfo, FileSystem, FsErrorCode, OpenAccess } from '../filesystem.ts'
import { joinPath } from '../paths.ts'

export const readWrite: OpenAccess = { read: true, write: true }
export const readOnly: OpenAccess = { read: true, write: false }
export const metadataOnly: OpenAccess = { read: false, write: false }
const archive = 0x20

/** What a check works with: a filesystem and a folder of its own. */
export class Scope {
  readonly files: FileSystem
  readonly folder: string
  readonly #handles: FileHandle[] = []

  constructor(files: FileSystem, folder: string) {
    this.files = files
    this.folder = folder
  }

  path(name: string): string {
    return joinPath(this.folder, name)
  }

  #keep<T extends FileHandle>(handle: T): T {
    this.#handles.push(handle)
    return handle
  }

  async open(name: string, access: OpenAccess = readWrite, stream = ''): Promise<FileHandle> {
    return this.#keep(await this.files.open(this.path(name), stream, access))
  }

  async create(name: string, options: Partial<CreateOptions> = {}, stream = ''): Promise<FileHandle> {
    const all = { folder: false, attributes: archive, access: readWrite, ...options }
    return this.#keep(await this.files.create(this.path(name), stream, all))
  }

  /** A closed file with this content. */
  async file(name: string, content: string | Uint8Array = ''): Promise<void> {
    const handle = await this.create(name)
    await handle.write(Buffer.from(content as string), 0)
    await handle.close()
  }

  async makeFolder(name: string): Promise<void> {
    await (await this.create(name, { folder: true, attributes: 0 })).close()
  }

  async stat(name: string): Promise<FileInfo | undefined> {
    return this.files.stat(this.path(name))
  }

  /** What is there must be there. */
  async info(name: string): Promise<FileInfo> {
    const info = await this.stat(name)
    assert.ok(info, `${name} should exist`)
    return info
  }

  async content(name: string, stream = ''): Promise<string> {
    const handle = await this.open(name, readOnly, stream)
    const content = await contentOf(handle)
    await handle.close()
    return content.toString('latin1')
  }

  async names(folder = ''): Promise<string[]> {
    const handle = await this.#openFolder(folder)
    const names: string[] = []
    for (const entry of await handle.entries()) names.push((await entry)?.name ?? '(gone)')
    await handle.close()
    return names.sort()
  }

  async #openFolder(folder: string): Promise<FileHandle> {
    return this.files.open(folder === '' ? this.folder : this.path(folder), '', readOnly)
  }

  async remove(name: string, stream = ''): Promise<void> {
    const handle = await this.open(name, { ...metadataOnly, noFollow: true }, stream)
    await handle.remove()
    await handle.close()
  }

  async rename(from: string, to: string, replace = false): Promise<void> {
    const handle = await this.open(from, metadataOnly)
    await handle.rename({ path: this.path(to) }, { replace })
    await handle.close()
  }

  async fails(code: FsErrorCode | readonly FsErrorCode[], action: () => unknown): Promise<void> {
    const codes: readonly string[] = typeof code === 'string' ? [code] : code
    await assert.rejects(
      async () => {
        await action()
      },
      (error: Error & { code?: string }) => {
        assert.equal(error.name, 'FsError', error.message)
        assert.ok(codes.includes(error.code ?? ''), `${error.code} should be ${codes.join(' or ')}`)
        return true
      },
    )
  }

  async closeAll(): Promise<void> {
    for (const handle of this.#handles) await handle.close()
  }
}

export const contentOf = async (handle: FileHandle): Promise<Buffer> => {
  const { sizeBytes } = await handle.info()
  const content = Buffer.alloc(sizeBytes)
  assert.equal(await handle.read(content, 0), sizeBytes)
  return content
}

/** A check: its title, what it needs, what it does. */
export interface Check {
  readonly title: string
  readonly needs?: keyof FileSystem['features']
  readonly run: (scope: Scope) => Promise<void>
}

export const check = (title: string, run: Check['run']): Check => ({ title, run })
export const checkWith = (needs: keyof FileSystem['features'], title: string, run: Check['run']): Check => ({ title, needs, run })
