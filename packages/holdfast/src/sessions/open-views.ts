/** Opens in words. */

import type { SmbOpenView } from '@holdfast/smb/server'
import type { OpenView } from './open-service.ts'
import { smbSessionId } from './worker-sessions.ts'

/** Bits of an access mask (MS-SMB2 2.2.13.1), and what they come to. Of a folder some mean something else, and the same. */
const accessWords: readonly (readonly [mask: number, word: string])[] = [
  [0x0000_0001, 'read'],
  [0x0000_0002, 'write'],
  [0x0000_0004, 'append'],
  [0x0000_0020, 'execute'],
  [0x0001_0000, 'delete'],
  [0x0000_0198, 'attributes'],
  [0x000e_0000, 'security'],
]
/** FILE_SHARE_*. */
const shareWords: readonly (readonly [mask: number, word: string])[] = [
  [1, 'read'],
  [2, 'write'],
  [4, 'delete'],
]
/** Lease states (MS-SMB2 2.2.13.2.8). */
const cachingLetters: readonly (readonly [mask: number, letter: string])[] = [
  [1, 'R'],
  [4, 'W'],
  [2, 'H'],
]

type Words = readonly (readonly [mask: number, word: string])[]
const said = (table: Words, bits: number): string[] => table.filter(([mask]) => (bits & mask) !== 0).map(([, word]) => word)

const lettersOf = (state: number): string => said(cachingLetters, state).join('') || 'none'

function cachingOf({ caching }: SmbOpenView): string | undefined {
  if (caching === undefined || (caching.state === 0 && caching.breakingTo === undefined)) return undefined
  const { kind, state, breakingTo } = caching
  return `${kind} ${lettersOf(state)}${breakingTo === undefined ? '' : ` to ${lettersOf(breakingTo)}`}`
}

/** 16 hexadecimal digits, in the order of the numbers. */
export const openIdText = (id: bigint): string => id.toString(16).padStart(16, '0')

/** Undefined for what is no id. */
export const openIdOf = (text: string): bigint | undefined => (/^[0-9a-f]{16}$/.test(text) ? BigInt(`0x${text}`) : undefined)

/** For people and scripts. */
export function openView(open: SmbOpenView): OpenView {
  const caching = cachingOf(open)
  return {
    id: openIdText(open.id),
    ...(open.session !== undefined && { session: smbSessionId(open.session) }),
    share: open.share,
    path: open.stream === '' ? open.path : `${open.path}:${open.stream}`,
    user: open.user,
    access: said(accessWords, open.access).join(' '),
    shareAccess: said(shareWords, open.shareAccess).join(' '),
    ...(open.sinceMs !== undefined && { since: new Date(open.sinceMs).toISOString() }),
    ...(caching !== undefined && { caching }),
    locks: open.locks,
    durability: open.durability,
    waiting: open.isWaiting,
    deleteOnClose: open.deletesFile,
  }
}
