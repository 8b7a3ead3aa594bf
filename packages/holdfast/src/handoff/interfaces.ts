/** Network interfaces of this machine, or of the network namespace this process is in. */

import { readFileSync } from 'node:fs'

/** Of this process, also where /sys is another namespace's. */
export function interfaceExists(name: string): boolean {
  const lines = readFileSync('/proc/self/net/dev', 'utf8').split('\n').slice(2)
  return lines.some(line => line.slice(0, line.indexOf(':')).trim() === name)
}
