import { startFakeNode } from '@holdfast/api-client/test-support'
import { SmbClient } from '@holdfast/smb/client'
import type { SmbFile, SmbShare } from '@holdfast/smb/client'
import { memory } from '@holdfast/storage'
import { memoryDevice } from '@holdfast/storage/block'
import { serve } from 'holdfast'
import { temporaryFolder } from '../peers/folder.ts'
import type { HoldfastServer } from 'holdfast'

/** What examples may name without making it: a server with the share `docs`, a client of it, and where there is the disk `disk0`. */
export class Given implements AsyncDisposable {
  readonly #resources = new AsyncDisposableStack()
  #server: Promise<HoldfastServer> | undefined
  #client: Promise<SmbClient> | undefined
  #disks: Promise<HoldfastServer> | undefined
  #share: Promise<SmbShare> | undefined

  host(): string {
    return '127.0.0.1'
  }

  async port(): Promise<number> {
    this.#server ??= this.#serve()
    return Number((await this.#server).smb[0].split(':').at(-1))
  }

  user(): string {
    return 'alice'
  }

  password(): string {
    return 'correct horse'
  }

  /** Where `iqn.2026-11.io.holdfast:disk0` is, a disk of 1 GiB. */
  async portal(): Promise<{ host: string; port: number }> {
    const { iscsi } = await (this.#disks ??= this.#serveDisks())
    return { host: this.host(), port: Number(iscsi[0].split(':').at(-1)) }
  }

  /** Where a node's management API is. */
  async url(): Promise<string> {
    return this.#resources.use(await startFakeNode(this.#volumes())).url
  }

  /** The same for this machine. */
  async socketPath(): Promise<string> {
    const path = this.#resources.use(temporaryFolder('examples')).at('control.sock')
    this.#resources.use(await startFakeNode({ ...this.#volumes(), socketPath: path }))
    return path
  }

  client(): Promise<SmbClient> {
    return (this.#client ??= this.port().then(async port =>
      this.#resources.use(await SmbClient.connect({ host: this.host(), port, user: this.user(), password: this.password() })),
    ))
  }

  /** `docs`, with `hello.txt`, `folder/film.mkv` and the empty folder `inbox`. */
  share(): Promise<SmbShare> {
    return (this.#share ??= this.client().then(async client => this.#resources.use(await client.share('docs'))))
  }

  async file(): Promise<SmbFile> {
    return this.#resources.use(await (await this.share()).open('folder/film.mkv'))
  }

  /** A `{ signal }` that aborts a little later. */
  signal(): AbortSignal {
    return AbortSignal.timeout(200)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }

  #volumes() {
    const volumes: { name: string; sizeBytes: number }[] = []
    const result = ({ request }: { readonly request?: unknown }) => {
      volumes.push({ name: (request as { readonly name: string }).name, sizeBytes: 2 ** 20 })
      return volumes.at(-1)
    }
    return { answers: { '/v1/volumes': volumes }, result }
  }

  async #serveDisks(): Promise<HoldfastServer> {
    const volumes = { disk0: { device: memoryDevice({ sizeBytes: 1 << 30 }) } }
    return this.#resources.use(await serve({ volumes, users: { [this.user()]: this.password() }, iscsi: `${this.host()}:0` }))
  }

  async #serve(): Promise<HoldfastServer> {
    const users = { [this.user()]: this.password() }
    const server = this.#resources.use(await serve({ shares: { docs: memory() }, users, smb: `${this.host()}:0` }))
    const port = Number(server.smb[0].split(':').at(-1))
    await using client = await SmbClient.connect({ host: this.host(), port, user: this.user(), password: this.password() })
    await using share = await client.share('docs')
    for (const folder of ['folder', 'inbox']) await share.mkdir(folder)
    await share.writeFile('hello.txt', 'hello')
    await share.writeFile('folder/film.mkv', Buffer.alloc(100_000, 'film'))
    return server
  }
}

/** Names of what `Given` gives. */
export const givenNames: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Given.prototype).filter(name => name !== 'constructor'))
