import assert from 'node:assert/strict'
import { once } from 'node:events'
import { openSync, closeSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { socketAddress, socketCallsAvailable } from './socket.ts'

const skip = socketCallsAvailable ? false : 'socket calls need Linux'
const hasIpv6 = Object.values(networkInterfaces()).some(addresses => addresses?.some(({ family }) => family === 'IPv6'))

for (const host of ['127.0.0.1', '0.0.0.0', ...(hasIpv6 ? ['::1', '::'] : [])]) {
  test(`the address of a socket at ${host} (getsockname(2))`, { skip }, async () => {
    const server = createServer().listen(0, host)
    await once(server, 'listening')
    const { _handle: handle } = server as unknown as { readonly _handle: { readonly fd: number } }
    assert.deepEqual(socketAddress(handle.fd), { host, port: (server.address() as AddressInfo).port })
    server.close()
  })
}

test('a file has no address', { skip }, () => {
  const fd = openSync('/dev/null', 'r')
  assert.equal(socketAddress(fd), undefined)
  closeSync(fd)
})
