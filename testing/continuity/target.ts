/** The servers that are asked: ours, and Samba's smbd. */
import { mkdirSync } from 'node:fs'
import { temporaryFolder } from '../peers/folder.ts'
import { freePort } from '../peers/port.ts'
import { startSamba } from '../peers/samba.ts'
import { alice, bob, startServer } from '../peers/server.ts'
import type { Account, Endpoint } from '../peers/server.ts'
import type { ShareKind } from './case.ts'

/** A server that runs. */
export interface Target extends AsyncDisposable {
  readonly endpoint: Endpoint
  readonly accounts: readonly [Account, Account]
  folderOf(share: ShareKind): string
  /** kill -9, and a new process with the state that the old one left, at the same address. */
  failOver(): Promise<void>
}

/** Starts ours, with a share of each kind. */
export async function startOurs(): Promise<Target> {
  const folder = temporaryFolder('continuity')
  for (const name of ['plain', 'available', 'state']) mkdirSync(folder.at(name))
  const options = {
    shares: { plain: folder.at('plain'), available: `${folder.at('available')},continuous-availability` },
    state: folder.at('state'),
    smbPort: await freePort(),
  }
  let server = await startServer(options)
  return {
    endpoint: server.smb,
    accounts: [alice, bob],
    folderOf: share => folder.at(share),
    async failOver() {
      await server.kill()
      server = await startServer(options)
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** Starts smbd, whose shares are not continuously available: it has no persistent handles. */
export async function startTheirs(): Promise<Target> {
  const samba = await startSamba({ plain: 'full' })
  return {
    endpoint: samba.smb,
    accounts: samba.accounts,
    folderOf: () => samba.folderOf('plain'),
    failOver: async () => Promise.reject(new Error('smbd keeps nothing')),
    [Symbol.asyncDispose]: () => samba[Symbol.asyncDispose](),
  }
}
