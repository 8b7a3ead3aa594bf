/** Names for completions: asked of the node, and soon, or not at all. */

import type { ApiClient } from '@holdfast/api-client'
import { nodeOptionsOf } from '../cli/words.ts'
import { savedServers } from '../commands/api/logins.ts'
import { openApi } from '../commands/api/session.ts'
import { nameOfTarget } from '../commands/api/views.ts'
import type { CommandContext } from '../commands/context.ts'
import type { Candidate, NameKind, NamesOf } from './complete.ts'

/** Who has pressed the Tab key does not wait longer. */
const patienceMs = 1000
const namesMax = 200

type Reader = (api: ApiClient, operands: readonly string[], signal: AbortSignal) => Promise<readonly Candidate[]>
const limit = namesMax

const readers: Readonly<Record<Exclude<NameKind, 'server'>, Reader>> = {
  volume: async (api, _, signal) =>
    (await api.volumes.list({ limit }, { signal })).items.map(({ name, target }) => ({ value: name, description: target })),
  snapshot: async (api, [volume = ''], signal) =>
    (await api.snapshots.list(volume, { limit }, { signal })).items.map(({ name, createdAt }) => ({ value: name, description: createdAt })),
  share: async (api, _, signal) => (await api.shares.list({ limit }, { signal })).items.map(({ name, path }) => ({ value: name, description: path })),
  user: async (api, _, signal) => (await api.users.list({ limit }, { signal })).items.map(({ name, role }) => ({ value: name, description: role })),
  operation: async (api, _, signal) =>
    (await api.operations.list({ limit }, { signal })).items.map(({ id, kind, target, state }) => ({
      value: id,
      description: `${kind} ${nameOfTarget(target)}, ${state}`,
    })),
  session: async (api, _, signal) =>
    (await api.sessions.list({ limit }, { signal })).items.map(({ id, user, client }) => ({
      value: id,
      description: `${user} at ${client.address}`,
    })),
  open: async (api, _, signal) =>
    (await api.opens.list({ limit }, { signal })).items.map(({ id, share, path, user }) => ({ value: id, description: `${share}/${path}, ${user}` })),
}

/** Of the node that the line names. Never rejects, never asks for a password. */
export function namesFrom(context: CommandContext): NamesOf {
  return async (kind, { operands, options }) => {
    try {
      if (kind === 'server') return savedServers(context.environment).map(({ server, user }) => ({ value: server, description: user }))
      const { prompt: _prompt, ...silent } = context
      const signal = AbortSignal.timeout(patienceMs)
      await using session = await openApi(silent, nodeOptionsOf(options, context), { signal, patienceMs: 0 })
      return await readers[kind](session.api, operands, signal)
    } catch {
      // A completion that cannot be had is none: the line is the person's.
      return []
    }
  }
}
