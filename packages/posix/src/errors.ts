import { constants } from 'node:os'

/** Numbers of errno by name, for this platform (`errno.ENOENT`). */
export const errno: Readonly<Record<keyof typeof constants.errno, number>> = constants.errno

const namesByNumber = new Map<number, string>()
for (const [name, number] of Object.entries(constants.errno)) if (!namesByNumber.has(number)) namesByNumber.set(number, name)

/** `'ENOENT'` for 2; `'E' + number` for a number this platform does not name. */
export const errnoName = (number: number): string => namesByNumber.get(number) ?? `E${number}`

/** A system call that failed. `errno` is positive, `code` its name (`'ENOENT'`), `call` the system call. */
export class PosixError extends Error {
  readonly errno: number
  readonly code: string
  readonly call: string
  constructor(number: number, call: string) {
    super(`${call}: ${errnoName(number)}`)
    this.name = 'PosixError'
    this.errno = number
    this.code = errnoName(number)
    this.call = call
  }
}

/** This package was called where its system calls do not exist: not Linux, not a 64-bit CPU it knows, or without koffi. */
export class UnsupportedPlatformError extends Error {
  readonly code = 'UNSUPPORTED_PLATFORM'
  constructor(reason: string) {
    super(`Linux system calls are not available: ${reason}`)
    this.name = 'UnsupportedPlatformError'
  }
}

/** Passes a system call's result on, or throws the `PosixError` that a negative one (-errno) stands for. */
export const orThrow = (result: number, call: string): number => {
  if (result < 0) throw new PosixError(-result, call)
  return result
}
