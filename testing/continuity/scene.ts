/** What a case is given: clients that end with it, and a name in the share. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Case, ClientWish, Scene, ShareKind } from './case.ts'
import { allCapabilities, Channel } from './channel.ts'
import { Client } from './client.ts'
import { newGuid } from './contexts.ts'
import { logIn } from './login.ts'
import type { Target } from './target.ts'

let names = 0

/** Puts a case to a server; returns what it answered. */
export async function ask(one: Case, share: ShareKind, target: Target): Promise<string> {
  const clients: Client[] = []
  const [first, second] = target.accounts
  const scene: Scene = {
    share,
    path: `case-${++names}`,
    second,
    async client({ as, previous, account = as?.account ?? first, clientGuid = as?.clientGuid ?? newGuid(), ...more }: ClientWish = {}) {
      const { endpoint } = target
      const client = await Client.connect({
        endpoint,
        share,
        account,
        clientGuid,
        ...more,
        ...(previous === undefined ? {} : { previousSessionId: previous.sessionId }),
      })
      clients.push(client)
      return client
    },
    async lose(client) {
      client.cut()
      await forget(target, client)
    },
    failOver: () => target.failOver(),
    exists: path => existsSync(join(target.folderOf(share), path)),
  }
  try {
    return await one.ask(scene)
  } finally {
    for (const client of clients) client.cut()
  }
}

/** A login that takes the place of the lost session: its answer comes when the server has ended that (MS-SMB2 3.3.5.5.3). */
async function forget({ endpoint }: Target, { account, clientGuid, sessionId, first: { dialect } }: Client): Promise<void> {
  const channel = await Channel.open(endpoint, { clientGuid, dialect, capabilities: allCapabilities })
  await logIn(channel, { account, previousSessionId: sessionId })
  channel.cut()
}
