/** The filesystem of what is pinned. */
import { addressAt, allocate } from '../addresses.ts'
import { orThrow } from '../errors.ts'
import { bindCalls, cString } from '../libc.ts'
import { BPF_FS_MAGIC } from './constants.ts'

const calls = bindCalls({
  statfs: ['statfs64', 'int', 'int64', 'int64'],
  mount: ['mount', 'int', 'int64', 'int64', 'int64', 'int64', 'int64'],
  umount2: ['umount2', 'int', 'int64', 'int'],
})

/** Whether objects can be pinned in this folder. False also when there is none. */
export const isBpfFilesystem = (path: string): boolean => {
  const text = cString(path)
  // struct statfs begins with f_type.
  const status = allocate(120)
  return calls.statfs(addressAt(text), status.address) === 0 && status.words[0] === BPF_FS_MAGIC
}

/** Mounts a bpf filesystem at a folder. Throws `PosixError`. */
export const mountBpfFilesystem = (path: string): void => {
  const target = cString(path)
  const type = cString('bpf')
  orThrow(calls.mount(addressAt(type), addressAt(target), addressAt(type), 0, 0), `mount ${path}`)
}

const MNT_DETACH = 2

/** umount2(2), also while something in it is in use. Throws `PosixError`. */
export const unmount = (path: string): void => {
  const target = cString(path)
  orThrow(calls.umount2(addressAt(target), MNT_DETACH), `umount ${path}`)
}
