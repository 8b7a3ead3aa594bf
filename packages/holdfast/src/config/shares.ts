/** The options of `--share NAME=DIR[,option...]`: as words, and as what they mean. */

import { type ShareOption, shareOptionNames } from './words.ts'

/** What the words say of a share. */
export interface ShareFlags {
  readonly readOnly: boolean
  readonly encrypt: boolean
  /** Users see only what they may read. */
  readonly accessBasedEnumeration: boolean
  readonly continuouslyAvailable: boolean
  /** A write shows in the file's write time two seconds later, or when the file is flushed or closed. */
  readonly delayedWriteTimes: boolean
  /** Read over HTTP by whoever does not say who they are. */
  readonly isPublic: boolean
  /** Its pages may run scripts in browsers. */
  readonly hasActiveContent: boolean
}

export const isShareOption = (word: string): word is ShareOption => (shareOptionNames as readonly string[]).includes(word)

/** Why an option that is a word cannot be used beside the others. */
export function shareOptionProblem(option: ShareOption, all: readonly string[]): string | undefined {
  if (option === 'scale-out') return `the share option ${option} is not available yet`
  const isPlain = option === 'public' || option === 'active-content'
  return isPlain && all.includes('encrypt')
    ? `the share option ${option} is of no use beside encrypt: HTTP is not encrypted, and has no such share`
    : undefined
}

export const shareFlagsOf = (options: readonly ShareOption[]): ShareFlags => ({
  readOnly: options.includes('read-only'),
  encrypt: options.includes('encrypt'),
  accessBasedEnumeration: options.includes('access-based-enumeration'),
  continuouslyAvailable: options.includes('continuous-availability'),
  delayedWriteTimes: !options.includes('immediate-write-times'),
  isPublic: options.includes('public'),
  hasActiveContent: options.includes('active-content'),
})

/** The words of what differs from a share without options. */
export function shareOptionWords(flags: Partial<ShareFlags>): ShareOption[] {
  const said: Readonly<Record<ShareOption, boolean>> = {
    'read-only': flags.readOnly === true,
    encrypt: flags.encrypt === true,
    'access-based-enumeration': flags.accessBasedEnumeration === true,
    'immediate-write-times': flags.delayedWriteTimes === false,
    'continuous-availability': flags.continuouslyAvailable === true,
    public: flags.isPublic === true,
    'active-content': flags.hasActiveContent === true,
    'scale-out': false,
  }
  return shareOptionNames.filter(option => said[option])
}
