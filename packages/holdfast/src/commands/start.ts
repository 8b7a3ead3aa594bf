/** `holdfast start` (`npm start`): a folder on the network, a minute after the download. */

import { mkdirSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { resolve } from 'node:path'
import { defaultPorts } from '../config/addresses.ts'
import { type Flags, resolveConfig } from '../config/config.ts'
import { openUserStore } from '../state/users.ts'
import type { CommandContext } from './context.ts'
import { serve, type ServeHooks } from './serve.ts'
import { generatePassword } from './user-commands.ts'
import { welcomeText } from './welcome.ts'

/** The share, the folder and the user of somebody who has not said anything yet. */
const firstShare = 'data'
const firstFolder = './data'
const firstUser = 'holdfast'

/**
 * As `serve`, with what is missing filled in: the folder ./data as a share, a user with a generated password, /healthz and /metrics on
 * port 8080 if that is free.
 *
 * The password is made once and kept: mounts and saved passwords outlive a restart. It is printed when it is made, and never again, since
 * only its hash is kept.
 */
export async function start(context: CommandContext, flags: Flags, hooks: ServeHooks = {}): Promise<void> {
  const given = resolveConfig(flags, { cwd: context.cwd })
  const needsShare = given.shares.length === 0
  if (needsShare) mkdirSync(resolve(context.cwd, firstFolder), { recursive: true })
  const config = needsShare ? resolveConfig({ ...flags, share: [`${firstShare}=${firstFolder}`] }, { cwd: context.cwd }) : given

  const users = openUserStore(config.stateDir)
  const known = users.list()
  const password = config.users.length === 0 && known.length === 0 ? generatePassword() : undefined
  if (password !== undefined) users.set({ name: firstUser, password })
  const user = config.users[0]?.name ?? known[0]?.name ?? firstUser

  const http = config.http.length === 0 ? [{ host: '127.0.0.1', port: defaultPorts.http }] : config.http
  await serve(
    context,
    { ...config, http },
    {
      ...hooks,
      httpOptional: config.http.length === 0,
      onReady(node) {
        const text = welcomeText({
          shares: config.shares,
          addresses: node.listeners.smb,
          networkAddresses: networkAddresses(),
          user,
          ...(password !== undefined && { password }),
          resetCommand: `npm run holdfast -- user add ${user}${flags.state === undefined ? '' : ` --state ${config.stateDir}`}`,
        })
        context.err.write(text)
        hooks.onReady?.(node)
      },
    },
  )
}

/** IPv4 addresses that other machines may reach this one at. */
function networkAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(address => address.family === 'IPv4' && !address.internal)
    .map(address => address.address)
}
