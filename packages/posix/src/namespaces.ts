/** Network namespaces (network_namespaces(7)). They belong to a thread, not to the process. */
import { closeSync, openSync } from 'node:fs'
import { orThrow } from './errors.ts'
import { bindCalls } from './libc.ts'

const calls = bindCalls({
  setns: ['setns', 'int', 'int', 'int'],
  unshare: ['unshare', 'int', 'int'],
})

const CLONE_NEWNET = 0x4000_0000
const ownNamespace = '/proc/thread-self/ns/net'

/** Runs `enter`, then `action`; comes back, whatever that throws. */
const away = <Result>(enter: () => number, call: string, action: () => Result): Result => {
  const own = openSync(ownNamespace, 'r')
  try {
    orThrow(enter(), call)
    try {
      return action()
    } finally {
      orThrow(calls.setns(own, CLONE_NEWNET), 'setns')
    }
  } finally {
    closeSync(own)
  }
}

/**
 * Does something in another network namespace (`/run/netns/NAME`, `/proc/PID/ns/net`): a socket that is opened there stays there. `action` must not wait: everything else of this
 * thread would be there as well.
 */
export const inNetworkNamespace = <Result>(path: string, action: () => Result): Result => {
  const fd = openSync(path, 'r')
  try {
    return away(() => calls.setns(fd, CLONE_NEWNET), `setns ${path}`, action)
  } finally {
    closeSync(fd)
  }
}

/** The same in a new one, which is gone when nothing that was opened there is open any more. */
export const inNewNetworkNamespace = <Result>(action: () => Result): Result => away(() => calls.unshare(CLONE_NEWNET), 'unshare', action)
