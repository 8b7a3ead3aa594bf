/** Times that a client keeps as they are through one open (MS-FSCC 2.4.7: -1 stops, -2 starts updating again). */
import type { FileTime, InfoChange } from '@holdfast/storage'
import type { FileOpen, FrozenTimes } from './file-open.ts'

const freeze = 0xffff_ffff_ffff_ffffn
const thaw = 0xffff_ffff_ffff_fffen

const names = ['accessedAt', 'writtenAt', 'changedAt'] as const

/** Puts back what an operation of this open has changed. */
export async function restoreFrozen(open: FileOpen): Promise<void> {
  if (open.frozen !== undefined) await open.handle.setInfo(open.frozen)
}

/** Takes the special values out of a FileBasicInformation and notes what they ask for; zero means "leave it". */
export async function takeSpecialTimes(
  open: FileOpen,
  times: { readonly createdAt: FileTime; readonly accessedAt: FileTime; readonly writtenAt: FileTime; readonly changedAt: FileTime },
): Promise<InfoChange> {
  const change: { -readonly [K in keyof InfoChange]: InfoChange[K] } = {}
  if (times.createdAt !== 0n && times.createdAt !== freeze && times.createdAt !== thaw) change.createdAt = times.createdAt
  for (const name of names) {
    const value = times[name]
    if (value === 0n) continue
    if (value === thaw) delete open.frozen?.[name]
    else {
      if (value !== freeze) change[name] = value
      // A time that is set stays as set, too: later writes through this open leave it alone (MS-FSA 2.1.5.14.2).
      await freezeTime(open, name, value === freeze ? undefined : value)
    }
  }
  if (open.frozen !== undefined && Object.keys(open.frozen).length === 0) open.frozen = undefined
  return change
}

async function freezeTime(open: FileOpen, name: keyof FrozenTimes, value: FileTime | undefined): Promise<void> {
  const kept = value ?? (await open.handle.info())[name]
  open.frozen = { ...open.frozen, [name]: kept }
}
