/**
 * The C library through koffi (measured: 0.2 µs a call and what the kernel takes; node:ffi is slower with
 * Buffers). Everything else in this package goes through `libc`, and nothing else of it may be called from
 * outside. Where it cannot be loaded, importing works and calling throws `UnsupportedPlatformError`.
 */
import { createRequire } from 'node:module'
import { PosixError, UnsupportedPlatformError, errno } from './errors.ts'

type Pointer = Uint8Array | null
type CType = 'int' | 'int64' | 'uint32' | 'pointer'
type Argument = number | bigint | Pointer
type NativeCall = ((...values: Argument[]) => number) & { async(...values: [...Argument[], (error: Error | null, result: number) => void]): void }

interface Koffi {
  load(name: string | null): { func(name: string, result: string, parameters: string[]): NativeCall }
  errno(): number
  address(value: Uint8Array): bigint
  view(address: bigint, lengthBytes: number): ArrayBuffer
}

/** Numbers of the system calls that the C library has no function for everywhere (asm/unistd.h). */
const syscallNumbers: Record<string, Record<string, number>> = {
  x64: {
    openat2: 437,
    statx: 332,
    preadv2: 327,
    pwritev2: 328,
    renameat2: 316,
    copyFileRange: 326,
    getdents64: 217,
    getxattrat: 464,
    listxattrat: 465,
    cachestat: 451,
  },
  arm64: {
    openat2: 437,
    statx: 291,
    preadv2: 286,
    pwritev2: 287,
    renameat2: 276,
    copyFileRange: 285,
    getdents64: 61,
    getxattrat: 464,
    listxattrat: 465,
    cachestat: 451,
  },
}

/** What is called: `syscall` by number, or a function of the C library by name. */
const signatures = {
  openat2: ['syscall', 'int', 'pointer', 'pointer', 'int64'],
  statx: ['syscall', 'int', 'pointer', 'int', 'uint32', 'pointer'],
  preadv2: ['syscall', 'int', 'pointer', 'int', 'int64', 'int64', 'int'],
  pwritev2: ['syscall', 'int', 'pointer', 'int', 'int64', 'int64', 'int'],
  renameat2: ['syscall', 'int', 'pointer', 'int', 'pointer', 'uint32'],
  copyFileRange: ['syscall', 'int', 'pointer', 'int', 'pointer', 'int64', 'uint32'],
  getdents64: ['syscall', 'int', 'pointer', 'int64'],
  getxattrat: ['syscall', 'int', 'pointer', 'uint32', 'pointer', 'pointer', 'int64'],
  listxattrat: ['syscall', 'int', 'pointer', 'uint32', 'pointer', 'int64'],
  cachestat: ['syscall', 'int', 'pointer', 'pointer', 'uint32'],
  sendfile: ['sendfile64', 'int', 'int', 'pointer', 'int64'],
  openat: ['openat', 'int', 'pointer', 'int', 'int'],
  close: ['close', 'int'],
  pread: ['pread64', 'int', 'pointer', 'int64', 'int64'],
  pwrite: ['pwrite64', 'int', 'pointer', 'int64', 'int64'],
  ftruncate: ['ftruncate64', 'int', 'int64'],
  fallocate: ['fallocate64', 'int', 'int', 'int64', 'int64'],
  lseek: ['lseek64', 'int', 'int64', 'int'],
  ioctl: ['ioctl', 'int', 'int64', 'pointer'],
  fgetxattr: ['fgetxattr', 'int', 'pointer', 'pointer', 'int64'],
  fsetxattr: ['fsetxattr', 'int', 'pointer', 'pointer', 'int64', 'int'],
  flistxattr: ['flistxattr', 'int', 'pointer', 'int64'],
  fremovexattr: ['fremovexattr', 'int', 'pointer'],
  getxattr: ['getxattr', 'pointer', 'pointer', 'pointer', 'int64'],
  setxattr: ['setxattr', 'pointer', 'pointer', 'pointer', 'int64', 'int'],
  listxattr: ['listxattr', 'pointer', 'pointer', 'int64'],
  removexattr: ['removexattr', 'pointer', 'pointer'],
  lgetxattr: ['lgetxattr', 'pointer', 'pointer', 'pointer', 'int64'],
  llistxattr: ['llistxattr', 'pointer', 'pointer', 'int64'],
  unlinkat: ['unlinkat', 'int', 'pointer', 'int'],
  mkdirat: ['mkdirat', 'int', 'pointer', 'uint32'],
  linkat: ['linkat', 'int', 'pointer', 'int', 'pointer', 'int'],
  symlinkat: ['symlinkat', 'pointer', 'int', 'pointer'],
  readlinkat: ['readlinkat', 'int', 'pointer', 'pointer', 'int64'],
  utimensat: ['utimensat', 'int', 'pointer', 'pointer', 'int'],
  dup3: ['dup3', 'int', 'int', 'int'],
  fsync: ['fsync', 'int'],
  fdatasync: ['fdatasync', 'int'],
  fstatfs: ['fstatfs64', 'int', 'pointer'],
  inotifyInit1: ['inotify_init1', 'int'],
  inotifyAddWatch: ['inotify_add_watch', 'int', 'pointer', 'uint32'],
  inotifyRmWatch: ['inotify_rm_watch', 'int', 'int'],
  read: ['read', 'int', 'pointer', 'int64'],
} as const satisfies Record<string, readonly [string, ...CType[]]>

type CallName = keyof typeof signatures
/** Calls that return their result, or -errno. */
export type Libc = Record<CallName, (...values: Argument[]) => number>

const koffiTypes: Record<CType, string> = { int: 'int', int64: 'int64_t', uint32: 'uint32_t', pointer: 'void *' }
/** Where a C library lacks the name with the 64 (musl >= 1.2.4), the plain one takes 64-bit offsets. */
const withoutSuffix = (name: string): string => name.replace(/64$/, '')

type Library = ReturnType<Koffi['load']>
interface Loaded {
  readonly calls: Libc
  readonly asyncCalls: Record<CallName, NativeCall['async']>
  readonly koffi: Koffi
  readonly library: Library
}

const load = (): Loaded | string => {
  if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`
  const numbers = syscallNumbers[process.arch]
  if (numbers === undefined) return `the CPU ${process.arch} is not known`
  let koffi: Koffi
  try {
    koffi = createRequire(import.meta.url)('koffi') as Koffi
  } catch (error) {
    return `koffi could not be loaded (${(error as Error).message.split('\n')[0]})`
  }
  const library = koffi.load(null)
  const calls: Partial<Libc> = {}
  const asyncCalls: Partial<Record<CallName, NativeCall['async']>> = {}
  for (const [key, [symbol, ...parameters]] of Object.entries(signatures) as [CallName, readonly [string, ...CType[]]][]) {
    const types = parameters.map(type => koffiTypes[type])
    const number = symbol === 'syscall' ? numbers[key] : undefined
    const result =
      number === undefined && symbol !== 'pread64' && symbol !== 'pwrite64' && symbol !== 'lseek64' && !/xattr|read/.test(symbol) ? 'int' : 'int64_t'
    let native: NativeCall
    try {
      native = library.func(symbol, result, number === undefined ? types : ['int64_t', ...types])
    } catch {
      native = library.func(withoutSuffix(symbol), result, types)
    }
    calls[key] = specialise(native, koffi, parameters.length, number)
    asyncCalls[key] = number === undefined ? native.async.bind(native) : (...values) => native.async(number, ...values)
  }
  return { calls: calls as Libc, asyncCalls: asyncCalls as Record<CallName, NativeCall['async']>, koffi, library }
}

/** A function of exactly as many parameters as the call has: a rest parameter would allocate an array per call. */
const specialise = (native: NativeCall, koffi: Koffi, arity: number, number: number | undefined): Libc[CallName] => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].slice(0, arity)
  const passed = number === undefined ? names : [String(number), ...names]
  try {
    const build = new Function('native', 'errno', `return (${names}) => { const result = native(${passed}); return result < 0 ? -errno() : result }`)
    return build(native, koffi.errno) as Libc[CallName]
  } catch {
    // Code generation is forbidden (--disallow-code-generation-from-strings).
    const first = number === undefined ? [] : [number]
    return (...values) => {
      const result = native(...first, ...values)
      return result < 0 ? -koffi.errno() : result
    }
  }
}

const loaded = load()

/** Why the system calls are not available here, or undefined where they are. */
export const unsupportedReason: string | undefined = typeof loaded === 'string' ? loaded : undefined

/** Throws `UnsupportedPlatformError` (code `UNSUPPORTED_PLATFORM`) where this package cannot work. */
export const requireSupport = (): void => {
  if (unsupportedReason !== undefined) throw new UnsupportedPlatformError(unsupportedReason)
}

const unsupported = new Proxy({} as Libc, {
  get: () => () => {
    throw new UnsupportedPlatformError(unsupportedReason ?? '')
  },
})

export const libc: Libc = typeof loaded === 'string' ? unsupported : loaded.calls

/** Takes numbers only: memory is given by its address (`addressAt`), and descriptors and flags are numbers anyway. */
export type AddressCall = (...values: number[]) => number
type NumberType = Exclude<CType, 'pointer'>
/** A function of the C library, what it returns, what it takes; or `syscall` with the number of the system call on x64 and arm64. */
export type AddressSignature = readonly [symbol: string, result: 'int' | 'int64', ...parameters: NumberType[]]

/**
 * Binds functions that take all their memory by address, so that a call may point into the middle of a Buffer and allocates nothing.
 * They return their result, or -errno.
 */
export const bindCalls = <Name extends string>(
  table: Readonly<Record<Name, AddressSignature>>,
  numbers: Partial<Readonly<Record<Name, Readonly<Record<string, number>>>>> = {},
): Readonly<Record<Name, AddressCall>> => {
  if (typeof loaded === 'string') return unsupported as unknown as Readonly<Record<Name, AddressCall>>
  const bound: Partial<Record<Name, AddressCall>> = {}
  for (const [name, [symbol, result, ...parameters]] of Object.entries(table) as [Name, AddressSignature][]) {
    const number = numbers[name]?.[process.arch]
    const types = parameters.map(type => koffiTypes[type])
    const native = loaded.library.func(symbol, koffiTypes[result], number === undefined ? types : ['int64_t', ...types])
    bound[name] = specialise(native, loaded.koffi, parameters.length, number)
  }
  return bound as Readonly<Record<Name, AddressCall>>
}

/** The address of a view's first byte; the caller keeps the view alive while the kernel uses it. */
export const addressOf: (bytes: Uint8Array) => bigint = typeof loaded === 'string' ? () => 0n : loaded.koffi.address

/** Memory of the C library's or the kernel's as a Buffer; it has to be there for as long as that is used. */
export const memoryAt = (address: number, lengthBytes: number): Buffer => {
  if (typeof loaded === 'string') throw new UnsupportedPlatformError(loaded)
  return Buffer.from(loaded.koffi.view(BigInt(address), lengthBytes))
}

// koffi refuses more than 256 asynchronous calls at a time; what is above our limit waits here.
const asyncLimit = 128
let asyncRunning = 0
const asyncWaiting: (() => void)[] = []

/** Runs a call on Node's thread pool; resolves with its result or -errno. The views it is given are kept alive. */
export const callAsync = (name: CallName, ...values: Argument[]): Promise<number> =>
  new Promise((resolve, reject) => {
    if (typeof loaded === 'string') return reject(new UnsupportedPlatformError(loaded))
    const start = (): void => {
      asyncRunning++
      const done = (error: Error | null, result: number): void => {
        // Others may have changed it by now. What must not become of an error is a success.
        const number = result < 0 ? loaded.koffi.errno() || errno.EIO : 0
        void values // alive until here
        asyncRunning--
        asyncWaiting.shift()?.()
        if (error) reject(error)
        else resolve(result < 0 ? -number : result)
      }
      loaded.asyncCalls[name](...values, done)
    }
    if (asyncRunning < asyncLimit) start()
    else asyncWaiting.push(start)
  })

/** Node's own, a quarter of the price of `write(text, offset, length, 'utf8')`. */
type Utf8Buffer = Buffer & { utf8Write(text: string, offset: number, length: number): number }

const pathScratch = [Buffer.alloc(8192) as Utf8Buffer, Buffer.alloc(8192) as Utf8Buffer]

/** A path or name: a string (written as UTF-8), or bytes that end with a NUL. */
export type PathArgument = string | Uint8Array

/**
 * A path as C wants it. A string goes into one of two preallocated buffers (`which`), so it is good for one call only.
 * One that is too long stays too long (more than PATH_MAX), so the kernel says ENAMETOOLONG.
 */
export const cPath = (path: PathArgument, which: 0 | 1 = 0): Uint8Array => {
  if (typeof path !== 'string') return path
  if (path.includes('\0')) throw new PosixError(errno.EINVAL, 'path with NUL')
  const buffer = pathScratch[which]
  const length = buffer.utf8Write(path, 0, 8191)
  buffer[length] = 0
  return buffer
}

/** A NUL-terminated copy of a string, for names that are used again and again. */
export const cString = (text: string): Buffer => Buffer.from(`${text}\0`)
