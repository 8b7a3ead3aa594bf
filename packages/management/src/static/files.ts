/** The files of the console, as a build left them. */

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Codings that a build may have made in advance, the better first, with the ending of such a file. */
const codings = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const
type Coding = (typeof codings)[number][0]

/** A file, with what it was compressed to. */
export interface StaticFile {
  readonly contentType: string
  /** Of its bytes: the same after a restart. */
  readonly etag: string
  /** Its name has a hash of its content: it never changes. */
  readonly isImmutable: boolean
  readonly content: Buffer
  readonly coded: ReadonlyMap<Coding, Buffer>
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
}

/** What a bundler calls what it may: `assets/index-BvRz2c4a.js`. */
const hashedName = /^\/assets\/.+-[\w-]{8,}\.\w+$/

/** By the path of their address; undefined where there is no such folder, or no page in it. `/` is `index.html`. */
export async function readStaticFiles(folder: URL): Promise<ReadonlyMap<string, StaticFile> | undefined> {
  const root = fileURLToPath(folder)
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
  const contents = new Map<string, Buffer>()
  for (const entry of entries.filter(found => found.isFile())) {
    const path = join(entry.parentPath, entry.name)
    contents.set(`/${relative(root, path).split(sep).join('/')}`, await readFile(path))
  }
  const files = new Map<string, StaticFile>()
  for (const [path, content] of contents) {
    const contentType = contentTypes[extname(path)]
    if (contentType !== undefined) files.set(path, fileOf(path, { content, contentType, contents }))
  }
  const page = files.get('/index.html')
  return page && new Map([...files, ['/', page]])
}

function fileOf(
  path: string,
  { content, contentType, contents }: { content: Buffer; contentType: string; contents: ReadonlyMap<string, Buffer> },
): StaticFile {
  const coded = new Map(
    codings.flatMap(([coding, ending]) => {
      const bytes = contents.get(path + ending)
      return bytes === undefined ? [] : [[coding, bytes] as const]
    }),
  )
  const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`
  return { contentType, etag, isImmutable: hashedName.test(path), content, coded }
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** The best coding that is there and that the client takes (RFC 9110 12.5.3). */
export function codedContent({ content, coded }: StaticFile, acceptEncoding = ''): { readonly coding?: Coding; readonly content: Buffer } {
  const refused = /^(?:0(?:\.0{0,3})?)$/
  const accepted = new Set(
    acceptEncoding.split(',').flatMap(item => {
      const [name = '', ...parameters] = item.split(';').map(part => part.trim().toLowerCase())
      const weight = parameters.find(parameter => parameter.startsWith('q='))?.slice(2)
      return weight !== undefined && refused.test(weight) ? [] : [name]
    }),
  )
  for (const [coding] of codings) {
    const bytes = coded.get(coding)
    if (bytes !== undefined && accepted.has(coding)) return { coding, content: bytes }
  }
  return { content }
}
