/** The state folder, and who the node is: made once, kept. */

import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomically } from './atomic-file.ts'
import { claim } from './claim.ts'
import { StateError } from './errors.ts'

/** Who the node is, for as long as its state folder lives. */
export interface Identity {
  /** A GUID's text (MS-SMB2 2.2.4 ServerGuid). */
  readonly serverGuid: string
  /** The SID that local accounts' SIDs begin with: `S-1-5-21-a-b-c` (MS-DTYP 2.4.2.4). */
  readonly machineSid: string
}

/** Makes the folder where it is missing, for its owner alone. Throws StateError `STATE_FOLDER`. */
export function openStateFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    if (!statSync(path).isDirectory()) throw new Error('it is no folder')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message
    throw new StateError('STATE_FOLDER', `the state folder ${path} cannot be used: ${reason}`, { cause: error })
  }
}

/** Reads the node's identity, or makes one on first use. Throws StateError `STATE_CORRUPT`. */
export function openIdentity(stateDir: string): Identity {
  const path = join(stateDir, 'identity.json')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const parts = randomBytes(12)
    const machineSid = `S-1-5-21-${parts.readUInt32LE(0)}-${parts.readUInt32LE(4)}-${parts.readUInt32LE(8)}`
    const identity: Identity = { serverGuid: randomUUID(), machineSid }
    writeFileAtomically(path, `${JSON.stringify(identity, undefined, 2)}\n`)
    return identity
  }
  try {
    const { serverGuid, machineSid } = JSON.parse(text) as Partial<Identity>
    if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(serverGuid ?? '') && /^S-1-5-21(-\d+){3}$/.test(machineSid ?? ''))
      return { serverGuid: serverGuid!, machineSid: machineSid! }
  } catch (error) {
    throw new StateError('STATE_CORRUPT', `${path} is not JSON`, { cause: error })
  }
  throw new StateError('STATE_CORRUPT', `${path} is no identity of a node`)
}

/**
 * Claims the folder for this process, so that no two nodes act on one state. A claim whose process has died (kill -9) is taken over.
 * Throws StateError `STATE_IN_USE`.
 */
export function lockStateFolder(stateDir: string): Disposable {
  const claimed = claim(join(stateDir, 'lock'))
  if (Symbol.dispose in claimed) return claimed
  throw new StateError('STATE_IN_USE', `the state folder ${stateDir} is in use by process ${claimed.pid}; give another --state`)
}
