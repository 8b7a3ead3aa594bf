import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, test } from 'node:test'
import { orThrow } from '@holdfast/posix'
import {
  AF_INET,
  AF_INET6,
  DatagramBatch,
  EPOLLIN,
  Endpoint,
  Epoll,
  SOCK_DGRAM,
  bind,
  close,
  inNetworkNamespace,
  localEndpoint,
  openSocket,
  sendTo,
} from '@holdfast/posix/network'
import type { Machine } from './machine.ts'
import { oneLink, routed } from './topologies.ts'
import type { Topology } from './topologies.ts'
import { dropPackets, setLink, topologyUnavailable } from './topology.ts'

/** A UDP socket on a machine, in this process. */
const socketOn = (machine: Machine, address: string): Disposable & { readonly fd: number; readonly endpoint: Endpoint } => {
  const endpoint = Endpoint.of(address, 0)
  const family = address.includes(':') ? AF_INET6 : AF_INET
  const fd = inNetworkNamespace(`/run/netns/${machine.namespace}`, () => orThrow(openSocket(family, SOCK_DGRAM), 'socket'))
  orThrow(bind(fd, endpoint), `bind ${address}`)
  orThrow(localEndpoint(fd, endpoint), 'getsockname')
  return { fd, endpoint, [Symbol.dispose]: () => void close(fd) }
}

interface Place {
  readonly machine: Machine
  readonly address: string
}

const payload = Buffer.alloc(1000)
const batch = new DatagramBatch({ slots: 64, slotBytes: payload.length })

/** How many of so many datagrams arrive: waits until all have, or none comes for a while. */
const arrivals = (from: Place, to: Place, count = 1): number => {
  using sender = socketOn(from.machine, from.address)
  using receiver = socketOn(to.machine, to.address)
  using epoll = new Epoll()
  epoll.add(receiver.fd, EPOLLIN)
  let arrived = 0
  for (let sent = 0; sent < count; sent++) {
    sendTo(sender.fd, payload, 0, payload.length, receiver.endpoint)
    // So that no buffer overflows.
    arrived += Math.max(0, batch.receive(receiver.fd))
  }
  while (arrived < count && epoll.wait(300) > 0) arrived += Math.max(0, batch.receive(receiver.fd))
  return arrived
}

const places = (
  { client, director, a, b, addresses }: Topology,
  family: 'ipv4' | 'ipv6',
): Readonly<Record<'client' | 'director' | 'vip' | 'a' | 'b', Place>> => {
  const own = addresses[family]
  return {
    client: { machine: client, address: own.client },
    director: { machine: director, address: own.director },
    vip: { machine: director, address: own.vip },
    a: { machine: a, address: own.a },
    b: { machine: b, address: own.b },
  }
}

const everybodyHearsEverybody = (topology: Topology): void => {
  for (const family of ['ipv4', 'ipv6'] as const) {
    const all = Object.values(places(topology, family))
    for (const from of all) for (const to of all) assert.equal(arrivals(from, to), 1, `from ${from.address} to ${to.address}`)
  }
}

describe('networks for tests of hand-offs', { skip: topologyUnavailable(), timeout: 120_000 }, () => {
  test('on one link, everybody reaches everybody, by IPv4 and IPv6, and afterwards nothing is left', async () => {
    let machines: readonly Machine[]
    {
      await using topology = await oneLink()
      everybodyHearsEverybody(topology)
      machines = [topology.client, topology.director, topology.a, topology.b, topology.middle]
      for (const { namespace } of machines) assert.ok(existsSync(`/run/netns/${namespace}`))
    }
    for (const { namespace } of machines) assert.ok(!existsSync(`/run/netns/${namespace}`))
  })

  test('so do they behind routers', async () => {
    await using topology = await routed()
    everybodyHearsEverybody(topology)
  })

  test('so many packets are lost as are asked for, in the direction asked for, until it is over', async () => {
    await using topology = await oneLink()
    const { client, a } = places(topology, 'ipv4')
    // Who knows whose link address.
    assert.equal(arrivals(client, a), 1)
    const count = 1000
    // 300 ± 14 is one standard deviation.
    const some = (arrived: number): boolean => arrived > 600 && arrived < 800
    {
      using _loss = dropPackets(client.machine, { permilleIn: 300 })
      assert.ok(some(arrivals(a, client, count)))
      assert.equal(arrivals(client, a, count), count)
    }
    {
      using _loss = dropPackets(client.machine, { permilleOut: 300 })
      assert.ok(some(arrivals(client, a, count)))
      assert.equal(arrivals(a, client, count), count)
    }
    assert.equal(arrivals(client, a, count), count)
    assert.equal(arrivals(a, client, count), count)
  })

  test('a cable that is pulled brings nothing, and is plugged in again', async () => {
    await using topology = await oneLink()
    const { client, a } = places(topology, 'ipv4')
    assert.equal(arrivals(client, a), 1)
    await setLink(topology.a, 'down')
    assert.equal(arrivals(client, a), 0)
    await setLink(topology.a, 'up')
    // It may have to be asked for its link address again.
    for (let attempt = 0; attempt < 20; attempt++) if (arrivals(client, a) === 1) return
    assert.fail('nothing arrives')
  })

  test('the bytes of an interface are counted', async () => {
    await using topology = await oneLink()
    const { client, a } = places(topology, 'ipv4')
    const before = await topology.client.counters()
    assert.equal(arrivals(client, a, 20), 20)
    assert.equal(arrivals(a, client, 10), 10)
    const after = await topology.client.counters()
    // With headers of Ethernet, IP and UDP.
    assert.ok(after.sentBytes - before.sentBytes >= 20 * 1042)
    assert.ok(after.sentBytes - before.sentBytes < 20 * 1042 + 1000)
    assert.ok(after.receivedBytes - before.receivedBytes >= 10 * 1042)
  })
})
