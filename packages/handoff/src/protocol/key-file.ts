/** The file that holds the cluster's key. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { UsageError } from '@holdfast/wire'
import { keyBytesMin } from './mac.ts'

/** Nobody has a longer key; somebody may name the wrong file. */
const fileBytesMax = 4096
/** The permissions of group and others. */
const othersMode = 0o077

/**
 * The cluster's key. A file of hex digits or base64 that stand for 32 bytes or more holds these; any other holds itself, a text without the line end. Throws
 * UsageError `key-file`: it can't be read, is no file, is not its owner's alone, has less than 32 bytes or more than 4,096.
 */
export function readKeyFile(path: string): Buffer {
  const problem = (why: string): never => {
    throw new UsageError('key-file', `${path}: ${why}`)
  }
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    return problem(`can't be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`)
  }
  try {
    const status = fstatSync(file)
    if (!status.isFile()) problem('is no file')
    if ((status.mode & othersMode) !== 0) problem(`others than its owner have rights to it; chmod 600 ${path}`)
    if (status.size > fileBytesMax) problem(`has ${status.size} bytes, a key has ${keyBytesMin} to ${fileBytesMax}`)
    const key = keyOf(readFileSync(file))
    if (key.length < keyBytesMin) problem(`holds ${key.length} bytes, ${keyBytesMin} are the least; for a new one: head -c 32 /dev/urandom | base64`)
    return key
  } finally {
    closeSync(file)
  }
}

/** What the content of a key file stands for. */
export function keyOf(content: Buffer): Buffer {
  const text = content.toString('latin1').replace(/[\r\n]+$/, '')
  const digits = text.replaceAll(/\s/g, '')
  const isHex = /^(?:[0-9a-fA-F]{2})+$/.test(digits)
  const decoded = isHex ? Buffer.from(digits, 'hex') : isBase64(digits) ? Buffer.from(digits, 'base64') : undefined
  if (decoded !== undefined && decoded.length >= keyBytesMin) return decoded
  // Binary stays as it is, also one that happens to end in the byte of a line end.
  const isText = /^[\t\r\n\x20-\x7e]*$/.test(text)
  return isText ? Buffer.from(text, 'latin1') : content
}

/** Base64 as programs write it (RFC 4648 4 and 5), padded or not. */
function isBase64(digits: string): boolean {
  return /^(?:[A-Za-z0-9+/]+|[A-Za-z0-9_-]+)={0,2}$/.test(digits) && digits.replace(/=+$/, '').length % 4 !== 1
}
