/** The servers that a command talks to, one session each. */

import { ConfigError } from '../config/errors.ts'
import { findPassword } from '../remote/password.ts'
import type { OnInterruption, RemoteFiles, RemoteServer } from '../remote/remote.ts'
import type { RemoteUrl } from '../remote/url.ts'
import { sameServer, urlAllowed } from '../remote/url.ts'
import type { CommandContext } from './context.ts'

export interface RemoteOptions {
  readonly passwordFile?: string
}

export class RemoteSessions implements AsyncDisposable {
  readonly #context: CommandContext
  readonly #options: RemoteOptions
  readonly #onInterruption: OnInterruption | undefined
  readonly #servers: { readonly url: RemoteUrl; readonly server: Promise<RemoteServer> }[] = []
  readonly #shares = new Map<string, Promise<RemoteFiles>>()

  constructor(context: CommandContext, options: RemoteOptions, onInterruption?: OnInterruption) {
    this.#context = context
    this.#onInterruption = onInterruption
    this.#options = options
  }

  server(url: RemoteUrl): Promise<RemoteServer> {
    const known = this.#servers.find(entry => sameServer(entry.url, url))
    if (known !== undefined) return known.server
    const server = this.#connect(url)
    this.#servers.push({ url, server })
    return server
  }

  /** The share that a URL names. */
  async files(url: RemoteUrl): Promise<RemoteFiles> {
    if (url.share === '') throw new ConfigError(`the URL names no share; allowed: ${urlAllowed}`)
    const server = await this.server(url)
    const key = `${url.user}@${url.host}:${url.port}/${url.share.toUpperCase()}`
    const known = this.#shares.get(key)
    if (known !== undefined) return known
    const files = server.share(url.share)
    this.#shares.set(key, files)
    return files
  }

  async #connect(url: RemoteUrl): Promise<RemoteServer> {
    if (url.user === '') throw new ConfigError(`the URL names no user; allowed: ${urlAllowed}`)
    const { environment, prompt, connect } = this.#context
    const password = await findPassword(`Password of ${url.user}@${url.host}: `, { ...this.#options, environment, ...(prompt && { prompt }) })
    return connect({ host: url.host, port: url.port, user: url.user, domain: url.domain, password }, this.#onInterruption)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A server that could not be reached has been told about already.
    const opened = await Promise.allSettled(this.#servers.map(entry => entry.server))
    for (const result of opened) if (result.status === 'fulfilled') await result.value[Symbol.asyncDispose]()
  }
}
