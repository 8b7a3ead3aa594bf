/** The system call and the memory it is given; what all objects of the kernel have in common. */
import { allocate, setAddress } from '../addresses.ts'
import { PosixError, errno, orThrow } from '../errors.ts'
import { bindCalls, cString } from '../libc.ts'

/** Commands of bpf(2). */
export const Command = {
  mapCreate: 0,
  mapLookupElement: 1,
  mapUpdateElement: 2,
  mapDeleteElement: 3,
  mapGetNextKey: 4,
  programLoad: 5,
  objectPin: 6,
  objectGet: 7,
  programTestRun: 10,
  objectGetInfo: 15,
  mapLookupAndDeleteElement: 21,
  mapLookupBatch: 24,
  mapUpdateBatch: 26,
  mapDeleteBatch: 27,
  linkCreate: 28,
  linkUpdate: 29,
  enableStatistics: 32,
  linkDetach: 34,
} as const

export const calls = bindCalls(
  {
    bpf: ['syscall', 'int64', 'int', 'int64', 'int64'],
    close: ['close', 'int', 'int'],
  },
  { bpf: { x64: 321, arm64: 280 } },
)

/** union bpf_attr. The kernel refuses what is not zero behind the last field of a command, so each call says how long its part is. */
const attributes = allocate(128)
export const attributeBytes = attributes.bytes
export const attributeWords = attributes.words

/** Writes an address into `union bpf_attr` at a byte. */
export const setPointer = (atByte: number, address: number): void => setAddress(attributeWords, atByte / 4, address)

/** Calls bpf(2) with the first `lengthBytes` of the attributes. Returns its result, or -errno. */
export const bpf = (command: number, lengthBytes: number): number => calls.bpf(command, attributes.address, lengthBytes)

/** Writes a name of at most 15 characters (letters, digits, `_`, `.`) at a byte. */
export const setName = (atByte: number, name: string): void => {
  if (!/^[\w.]{0,15}$/.test(name)) throw new PosixError(errno.EINVAL, `bpf name ${name}`)
  attributeBytes.write(name, atByte, 'latin1')
}

/** A program that the verifier did not take. */
export class VerifierError extends PosixError {
  /** What it says, line by line. */
  readonly log: string
  constructor(errno: number, log: string) {
    super(errno, 'BPF_PROG_LOAD')
    this.name = 'VerifierError'
    this.message += `\n${log.slice(-4000)}`
    this.log = log
  }
}

/** A path for a call that is made at once. */
export const setPath = (atByte: number, path: string): Buffer => {
  if (path.includes('\0')) throw new PosixError(errno.EINVAL, 'path with NUL')
  const text = allocate(Buffer.byteLength(path) + 1)
  cString(path).copy(text.bytes)
  setPointer(atByte, text.address)
  return text.bytes
}

/** Something of the kernel that has a descriptor, and lives on without it when it is pinned. */
export abstract class BpfObject implements Disposable {
  readonly fd: number
  #open = true

  constructor(fd: number) {
    this.fd = fd
  }

  /** Gives it a name in a bpf filesystem (-EEXIST is thrown): it lives until the name is removed (unlink(2)) and nobody has it open. */
  pin(path: string): void {
    attributeBytes.fill(0)
    const text = setPath(0, path)
    attributeWords[2] = this.fd
    orThrow(bpf(Command.objectPin, 16), `BPF_OBJ_PIN ${path}`)
    void text // alive until here
  }

  [Symbol.dispose](): void {
    if (this.#open) calls.close(this.fd)
    this.#open = false
  }
}

/** The descriptor of what is pinned there; undefined when there is no such name. */
export const openPinned = (path: string): number | undefined => {
  attributeBytes.fill(0)
  const text = setPath(0, path)
  const fd = bpf(Command.objectGet, 16)
  void text // alive until here
  return fd === -errno.ENOENT ? undefined : orThrow(fd, `BPF_OBJ_GET ${path}`)
}

/** Fills `into` with what the kernel tells of an object: struct bpf_map_info, bpf_prog_info, bpf_link_info. Zeros where it tells less. */
export const objectInfo = (fd: number, lengthBytes: number): Buffer => {
  const info = allocate(lengthBytes)
  attributeBytes.fill(0)
  attributeWords[0] = fd
  attributeWords[1] = lengthBytes
  setPointer(8, info.address)
  orThrow(bpf(Command.objectGetInfo, 16), 'BPF_OBJ_GET_INFO_BY_FD')
  return info.bytes
}

/** A name in a structure of the kernel: up to the first NUL. */
export const nameAt = (bytes: Buffer, at: number): string => bytes.toString('latin1', at, bytes.indexOf(0, at))
