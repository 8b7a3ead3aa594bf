/** A node with something of everything, in this process. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { connectDisk, type IscsiDisk } from '@holdfast/iscsi/initiator'
import { SmbClient } from '@holdfast/smb/client'
import { type HoldfastServer, serve, type ServeOptions } from '../index.ts'

/** Of alice, who may use all of it. */
export const password = 'Correct-Horse-1'

/** The share `docs` in the folder of that name, and the volume `disk0`, on two workers; state and all in `folder`. */
export function startWholeNode(folder: string, more: Partial<ServeOptions> = {}): Promise<HoldfastServer> {
  mkdirSync(join(folder, 'docs'))
  return serve({
    shares: { docs: join(folder, 'docs') },
    volumes: { disk0: '8MiB' },
    users: { alice: password },
    smb: '127.0.0.1:0',
    iscsi: '127.0.0.1:0',
    http: '127.0.0.1:0',
    state: join(folder, 'state'),
    workers: 2,
    ...more,
  })
}

const portOf = ([address]: readonly string[]): number => Number(address.split(':').at(-1))

/** alice at the node's SMB listener. */
export const connectSmb = ({ smb }: HoldfastServer): Promise<SmbClient> =>
  SmbClient.connect({ host: '127.0.0.1', port: portOf(smb), user: 'alice', password })

/** alice at the volume `disk0`. */
export const connectDisk0 = ({ iscsi }: HoldfastServer): Promise<IscsiDisk> =>
  connectDisk({ host: '127.0.0.1', port: portOf(iscsi), target: 'iqn.2026-11.io.holdfast:disk0', user: 'alice', password })
