/** The key that encrypts secrets at rest: 32 random bytes in a file that its owner alone can read. */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { closeSync, constants, fstatSync, fsyncSync, linkSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncFolder } from './atomic-file.ts'
import { StateError } from './errors.ts'

const keyBytes = 32

/** A secret encrypted with AES-256-GCM; all base64. */
export interface Sealed {
  readonly nonce: string
  readonly text: string
  readonly tag: string
}

/**
 * Reads the key, or makes it on first use. Throws StateError `STATE_KEY` for a file that others may read or write, that belongs
 * to somebody else, or that holds no key.
 */
export function openKeyFile(path: string): Buffer {
  const key = readKey(path)
  if (key !== undefined) return key
  // Made beside it and linked: two processes that start at once end up with the same key.
  const temporary = `${path}.${process.pid}.tmp`
  rmSync(temporary, { force: true })
  const file = openSync(temporary, 'wx', 0o600)
  try {
    writeSync(file, `${randomBytes(keyBytes).toString('hex')}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  try {
    linkSync(temporary, path)
    syncFolder(dirname(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(temporary, { force: true })
  }
  const made = readKey(path)
  if (made === undefined) throw new StateError('STATE_KEY', `the key file ${path} has vanished`)
  return made
}

function readKey(path: string): Buffer | undefined {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new StateError('STATE_KEY', `the key file ${path} cannot be opened: ${(error as NodeJS.ErrnoException).code}`, { cause: error })
  }
  try {
    const { mode, uid } = fstatSync(file)
    if ((mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0')
      throw new StateError(
        'STATE_KEY',
        `the key file ${path} has mode ${octal}, so that others may have read it; chmod 600 it, or remove the state folder`,
      )
    }
    if (process.geteuid !== undefined && uid !== process.geteuid())
      throw new StateError('STATE_KEY', `the key file ${path} belongs to another user (uid ${uid})`)
    const bytes = Buffer.alloc(keyBytes * 2 + 2)
    const text = bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0)).trim()
    if (!/^[0-9a-f]{64}$/.test(text)) throw new StateError('STATE_KEY', `the key file ${path} holds no key`)
    return Buffer.from(text, 'hex')
  } finally {
    closeSync(file)
  }
}

/** Encrypts; `binding` is authenticated along, so that a sealed secret is good in its own place only. */
export function seal(key: Buffer, secret: Uint8Array, binding: string): Sealed {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(binding))
  const text = Buffer.concat([cipher.update(secret), cipher.final()])
  return { nonce: nonce.toString('base64'), text: text.toString('base64'), tag: cipher.getAuthTag().toString('base64') }
}

/** Decrypts. Throws StateError `STATE_CORRUPT` when key, binding or content do not match. */
export function unseal(key: Buffer, sealed: Sealed, binding: string): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(sealed.nonce, 'base64'), { authTagLength: 16 })
    decipher.setAAD(Buffer.from(binding)).setAuthTag(Buffer.from(sealed.tag, 'base64'))
    return Buffer.concat([decipher.update(Buffer.from(sealed.text, 'base64')), decipher.final()])
  } catch (error) {
    throw new StateError('STATE_CORRUPT', `a secret of ${binding} does not fit the key file`, { cause: error })
  }
}
