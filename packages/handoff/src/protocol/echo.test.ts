import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AF_INET, close, IPPROTO_ICMP, openSocket, SOCK_RAW } from '@holdfast/posix/network'
import { unsupportedReason } from '@holdfast/posix'
import { Loop } from '../loop/index.ts'
import { EchoProbe } from './echo.ts'
import { parseEndpoint } from './endpoint.ts'

function reasonNot(): string | undefined {
  if (unsupportedReason !== undefined) return unsupportedReason
  const fd = openSocket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
  if (fd < 0) return 'needs CAP_NET_RAW'
  close(fd)
  return undefined
}

for (const text of ['127.0.0.1:1', '[::1]:1']) {
  test(`a machine that is there answers an ICMP echo, and only to who asked: ${text}`, { skip: reasonNot() }, () => {
    using loop = new Loop()
    let replies = 0
    let othersReplies = 0
    const probe = new EchoProbe(loop, parseEndpoint(text), () => replies++)
    const other = new EchoProbe(loop, parseEndpoint(text), () => othersReplies++)
    assert.equal(probe.isAble, true)
    probe.ask()
    probe.ask()
    const end = performance.now() + 10_000
    while (replies < 2 && performance.now() < end) loop.turn()
    assert.deepEqual([replies, othersReplies], [2, 0])
    probe.close()
    other.close()
    probe.ask()
  })
}
