import assert from 'node:assert/strict'
import { isIP, SocketAddress } from 'node:net'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { errno, unsupportedReason } from './index.ts'
import {
  AF_INET,
  AF_INET6,
  ARPHRD_LOOPBACK,
  DatagramBatch,
  DatagramQueue,
  EPOLLIN,
  EPOLLOUT,
  Endpoint,
  Epoll,
  EventDescriptor,
  IPPROTO_TCP,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_ERROR,
  SO_REUSEADDR,
  SO_TIMESTAMPNS,
  TCP_CONGESTION,
  TCP_INFO,
  TCP_NODELAY,
  TCP_SAVE_SYN,
  accept,
  acceptable,
  bind,
  close,
  connect,
  formatAddress,
  getOption,
  getOptionBytes,
  interfaceIndex,
  interfaceLinkAddress,
  interfaceMtu,
  interfaceType,
  isIpv4Mapped,
  listen,
  localEndpoint,
  openSocket,
  parseAddress,
  peek,
  peerEndpoint,
  receive,
  receiveFrom,
  savedSyn,
  send,
  sendTo,
  setOption,
  shutdown,
} from './network.ts'

const mapped = (...last: number[]): Buffer => Buffer.from([...Array<number>(10).fill(0), 0xff, 0xff, ...last])

describe('addresses in 16 bytes', () => {
  const rows: readonly (readonly [text: string, hex: string])[] = [
    ['192.0.2.1', '00000000000000000000ffffc0000201'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['1::', '00010000000000000000000000000000'],
    ['2001:db8::8:800:200c:417a', '20010db80000000000080800200c417a'],
    ['2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001'],
    ['2001:0:0:1::1', '20010000000000010000000000000001'],
    ['fe80::ff:fe00:1', 'fe80000000000000000000fffe000001'],
  ]
  for (const [text, hex] of rows)
    test(`${text} is ${hex} and back (RFC 5952 4)`, () => {
      assert.equal(parseAddress(text).toString('hex'), hex)
      assert.equal(formatAddress(Buffer.from(hex, 'hex')), text)
    })

  test('other ways to write one are understood (RFC 4291 2.2)', () => {
    assert.equal(formatAddress(parseAddress('2001:DB8:0:0:0:0:192.0.2.33')), '2001:db8::c000:221')
    assert.equal(formatAddress(parseAddress('::ffff:192.0.2.1')), '192.0.2.1')
    assert.equal(formatAddress(parseAddress('fe80::1%eth0')), 'fe80::1')
    assert.equal(isIpv4Mapped(parseAddress('10.0.0.1')), true)
    assert.equal(isIpv4Mapped(parseAddress('::10.0.0.1')), false)
  })

  for (const text of ['', 'localhost', '1.2.3', '256.1.1.1', '1:2:3', ':::'])
    test(`${JSON.stringify(text)} is none`, () => assert.throws(() => parseAddress(text), { code: 'EINVAL' }))

  test('any address is written as node:net writes it, and read again', () => {
    // Groups of zeros are what it is about.
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), groups => {
        const address = Buffer.alloc(16)
        groups.forEach((value, index) => address.writeUInt16BE(value, index * 2))
        const text = formatAddress(address)
        assert.ok(isIP(text) > 0)
        assert.deepEqual(parseAddress(text), address)
        const long = groups.map(value => value.toString(16)).join(':')
        const ofNode = new SocketAddress({ family: 'ipv6', address: long }).address
        if (!ofNode.includes('.')) assert.equal(text, ofNode)
      }),
    )
  })
})

describe('an endpoint', () => {
  test('is a sockaddr_in or sockaddr_in6, and is used again', () => {
    const endpoint = Endpoint.of('192.0.2.7', 8080)
    assert.equal(endpoint.bytes.subarray(0, endpoint.length).toString('hex'), '02001f90c00002070000000000000000')
    assert.deepEqual([endpoint.family, endpoint.host, endpoint.port, String(endpoint)], [AF_INET, '192.0.2.7', 8080, '192.0.2.7:8080'])
    endpoint.set('2001:db8::1', 443)
    assert.equal(endpoint.bytes.toString('hex'), `0a0001bb0000000020010db800000000000000000000000100000000`)
    assert.deepEqual([endpoint.length, endpoint.family, String(endpoint)], [28, AF_INET6, '[2001:db8::1]:443'])
    const address = Buffer.alloc(20)
    endpoint.writeMapped(address, 2)
    assert.equal(formatAddress(address, 2), '2001:db8::1')
    endpoint.setMapped(mapped(10, 0, 0, 1), 1).writeMapped(address, 4)
    assert.deepEqual(address.subarray(4), mapped(10, 0, 0, 1))
    endpoint.port = 65535
    assert.equal(endpoint.port, 65535)
  })
})

const skip = unsupportedReason ?? false

/** A descriptor that is closed at the end of its scope. */
const scoped = (fd: number): Disposable & { readonly fd: number } => {
  assert.ok(fd >= 0, `a descriptor, not ${fd}`)
  return { fd, [Symbol.dispose]: () => void close(fd) }
}

for (const host of ['127.0.0.1', '::1'])
  describe(`sockets at ${host}`, { skip }, () => {
    const family = host.includes(':') ? AF_INET6 : AF_INET
    const waitFor = (fd: number, events: number): void => {
      using epoll = new Epoll()
      assert.equal(epoll.add(fd, events), 0)
      assert.equal(epoll.wait(5000), 1)
      assert.equal(epoll.data(0), fd)
    }

    test('TCP: connect, accept, send, peek, receive, end', () => {
      using listener = scoped(openSocket(family, SOCK_STREAM))
      const at = Endpoint.of(host, 0)
      assert.equal(setOption(listener.fd, SOL_SOCKET, SO_REUSEADDR, 1), 0)
      assert.equal(setOption(listener.fd, IPPROTO_TCP, TCP_SAVE_SYN, 1), 0)
      assert.equal(bind(listener.fd, at), 0)
      assert.equal(listen(listener.fd, 16), 0)
      assert.equal(localEndpoint(listener.fd, at), 0)
      const peer = new Endpoint()
      assert.equal(accept(listener.fd, peer), -errno.EAGAIN)
      assert.equal(acceptable(listener.fd), 0)

      using client = scoped(openSocket(family, SOCK_STREAM))
      const result = connect(client.fd, at)
      assert.ok(result === 0 || result === -errno.EINPROGRESS, String(result))
      waitFor(client.fd, EPOLLOUT)
      assert.equal(getOption(client.fd, SOL_SOCKET, SO_ERROR), 0)
      waitFor(listener.fd, EPOLLIN)
      assert.equal(acceptable(listener.fd), 1)
      using server = scoped(accept(listener.fd, peer))
      assert.equal(acceptable(listener.fd), 0)
      const own = new Endpoint()
      assert.equal(localEndpoint(client.fd, own), 0)
      assert.equal(String(peer), String(own))
      assert.equal(peerEndpoint(client.fd, own), 0)
      assert.equal(String(own), String(at))

      const buffer = Buffer.alloc(32)
      assert.equal(receive(server.fd, buffer, 0, 32), -errno.EAGAIN)
      assert.equal(send(client.fd, Buffer.from('--hello--'), 2, 5), 5)
      waitFor(server.fd, EPOLLIN)
      assert.equal(peek(server.fd, buffer, 4, 3), 3)
      assert.equal(receive(server.fd, buffer, 10, 20), 5)
      assert.equal(buffer.toString('latin1').replaceAll('\0', '.'), '....hel...hello.................')
      assert.equal(shutdown(client.fd, SHUT_WR), 0)
      waitFor(server.fd, EPOLLIN)
      assert.equal(receive(server.fd, buffer, 0, 32), 0)

      const syn = Buffer.alloc(200)
      const length = savedSyn(server.fd, syn, 8)
      assert.equal(syn.readUInt8(8) >> 4, family === AF_INET ? 4 : 6)
      assert.equal(syn.readUInt16BE(8 + (family === AF_INET ? 20 : 40)), peer.port)
      assert.ok(length >= 40 && length <= 120, String(length))
    })

    test('options: an int, an unsigned one, a structure, a text; and one that is not known', () => {
      using socket = scoped(openSocket(family, SOCK_STREAM))
      assert.equal(getOption(socket.fd, IPPROTO_TCP, TCP_NODELAY), 0)
      assert.equal(setOption(socket.fd, IPPROTO_TCP, TCP_NODELAY, 1), 0)
      assert.equal(getOption(socket.fd, IPPROTO_TCP, TCP_NODELAY), 1)
      const info = Buffer.alloc(300)
      assert.ok(getOptionBytes(socket.fd, IPPROTO_TCP, TCP_INFO, info, 100) > 100)
      assert.equal(info.readUInt8(100), 7, 'TCP_CLOSE')
      const name = Buffer.alloc(16)
      assert.equal(getOptionBytes(socket.fd, IPPROTO_TCP, TCP_CONGESTION, name), 16)
      assert.match(name.toString('latin1'), /^[a-z]+\0/)
      assert.equal(getOption(socket.fd, 9999, 1), family === AF_INET ? -errno.EOPNOTSUPP : -errno.ENOPROTOOPT)
    })

    test('UDP: to an address, and where it came from', () => {
      using one = scoped(openSocket(family, SOCK_DGRAM))
      using two = scoped(openSocket(family, SOCK_DGRAM))
      const [at, source, buffer] = [Endpoint.of(host, 0), new Endpoint(), Buffer.alloc(20)]
      assert.equal(bind(one.fd, at), 0)
      localEndpoint(one.fd, at)
      assert.equal(sendTo(two.fd, Buffer.from('abc'), 1, 2, at), 2)
      waitFor(one.fd, EPOLLIN)
      assert.equal(receiveFrom(one.fd, buffer, 3, 10, source), 2)
      assert.equal(buffer.toString('latin1', 3, 5), 'bc')
      const own = new Endpoint()
      localEndpoint(two.fd, own)
      assert.equal(source.port, own.port)
      assert.equal(source.host, host)
    })

    test('datagrams in one call: more than a batch has slots, with a tail, too long, none', () => {
      using from = scoped(openSocket(family, SOCK_DGRAM))
      using to = scoped(openSocket(family, SOCK_DGRAM))
      const at = Endpoint.of(host, 0)
      bind(to.fd, at)
      localEndpoint(to.fd, at)
      bind(from.fd, Endpoint.of(host, 0))
      const own = new Endpoint()
      localEndpoint(from.fd, own)

      let firsts = 0
      const queue = new DatagramQueue({ slots: 8, slotBytes: 64, onFirst: () => firsts++ })
      assert.equal(queue.flush(from.fd), 0)
      const tail = Buffer.from('0123456789'.repeat(10))
      const expected: string[] = []
      for (let i = 0; i < 6; i++) {
        const length = queue.slot().write(`message ${i} `)
        assert.equal(i % 2 === 0 ? queue.push(length, at) : queue.pushWith(length, tail, i, 100 - i, at), true)
        expected.push(`message ${i} ${i % 2 === 0 ? '' : tail.toString('latin1', i, 100)}`)
      }
      assert.equal(queue.pushWith(0, tail, 0, 3, at), true)
      expected.push('012')
      assert.equal(queue.count, 7)
      assert.equal(queue.flush(from.fd), 7)
      assert.deepEqual([queue.count, queue.dropped, firsts], [0, 0, 1])

      const batch = new DatagramBatch({ slots: 4, slotBytes: 80 })
      const got: string[] = []
      for (const count of [4, 3]) {
        waitFor(to.fd, EPOLLIN)
        assert.equal(batch.receive(to.fd), count)
        for (let i = 0; i < count; i++) {
          got.push(batch.bytes(i).toString('latin1', 0, batch.length(i)))
          assert.equal(batch.truncated(i), expected[got.length - 1].length > 80)
          assert.equal(String(batch.source(i)), String(own))
        }
      }
      assert.deepEqual(
        got,
        expected.map(text => text.slice(0, 80)),
      )
      assert.equal(batch.receive(to.fd), -errno.EAGAIN)
    })

    test('a datagram says when it came, where its socket is told to', () => {
      using from = scoped(openSocket(family, SOCK_DGRAM))
      using to = scoped(openSocket(family, SOCK_DGRAM))
      bind(to.fd, Endpoint.of(host, 0))
      const own = new Endpoint()
      localEndpoint(to.fd, own)
      const queue = new DatagramQueue({ slots: 2, slotBytes: 16 })
      const batch = new DatagramBatch({ slots: 2, slotBytes: 16 })
      const arrivals = (): (number | undefined)[] => {
        queue.push(queue.slot().write('one'), own)
        queue.push(queue.slot().write('two'), own)
        queue.flush(from.fd)
        waitFor(to.fd, EPOLLIN)
        assert.equal(batch.receive(to.fd), 2)
        return [batch.arrivedMs(0), batch.arrivedMs(1)]
      }
      assert.deepEqual(arrivals(), [undefined, undefined])
      assert.equal(setOption(to.fd, SOL_SOCKET, SO_TIMESTAMPNS, 1), 0)
      const beforeMs = Date.now()
      for (const at of arrivals()) assert.ok(at !== undefined && at >= beforeMs && at < Date.now() + 1, `${at}`)
      assert.equal(setOption(to.fd, SOL_SOCKET, SO_TIMESTAMPNS, 0), 0)
      assert.deepEqual(arrivals(), [undefined, undefined])
    })

    test('a queue that is full drops; what the kernel refuses holds up nobody', () => {
      using from = scoped(openSocket(family, SOCK_DGRAM))
      using to = scoped(openSocket(family, SOCK_DGRAM))
      const at = Endpoint.of(host, 0)
      bind(to.fd, at)
      localEndpoint(to.fd, at)
      const queue = new DatagramQueue({ slots: 3, slotBytes: 16 })
      const tooLong = Buffer.alloc(70_000)
      queue.push(queue.slot().write('one'), at)
      assert.equal(queue.pushWith(0, tooLong, 0, tooLong.length, at), true)
      queue.push(queue.slot().write('two'), at)
      assert.equal(queue.push(queue.slot().write('six'), at), false)
      assert.equal(queue.dropped, 1)
      assert.equal(queue.flush(from.fd), 2)
      assert.equal(queue.dropped, 2)
      assert.equal(queue.push(17, at), false, 'longer than its slot')
      const batch = new DatagramBatch({ slots: 3, slotBytes: 16 })
      waitFor(to.fd, EPOLLIN)
      assert.equal(batch.receive(to.fd), 2)
      assert.equal(batch.bytes(0).toString('latin1', 0, 3), 'one')
    })

    test('a connected queue whose peer is gone and comes back: nothing is lost for the refusal of what was before', () => {
      using from = scoped(openSocket(family, SOCK_DGRAM))
      const at = Endpoint.of(host, 0)
      {
        using gone = scoped(openSocket(family, SOCK_DGRAM))
        bind(gone.fd, at)
        localEndpoint(gone.fd, at)
      }
      assert.equal(connect(from.fd, at), 0)
      const queue = new DatagramQueue({ slots: 4, slotBytes: 16 })
      queue.push(queue.slot().write('lost'))
      assert.equal(queue.flush(from.fd), 1)
      using back = scoped(openSocket(family, SOCK_DGRAM))
      assert.equal(bind(back.fd, at), 0)
      queue.push(queue.slot().write('a'))
      queue.push(queue.slot().write('b'))
      assert.equal(queue.flush(from.fd), 2)
      const batch = new DatagramBatch({ slots: 4, slotBytes: 16 })
      waitFor(back.fd, EPOLLIN)
      assert.equal(batch.receive(back.fd), 2)
    })
  })

describe('epoll and eventfd', { skip }, () => {
  test('an event descriptor is readable from the signal until it is drained', () => {
    using epoll = new Epoll(4)
    using event = new EventDescriptor()
    assert.equal(epoll.add(event.fd, EPOLLIN, 0xfedc_ba98), 0)
    assert.equal(epoll.add(event.fd, EPOLLIN), -errno.EEXIST)
    assert.equal(epoll.wait(0), 0)
    event.signal()
    new EventDescriptor(event.fd).signal()
    assert.equal(epoll.wait(0), 1)
    assert.equal(epoll.data(0), 0xfedc_ba98)
    assert.equal(epoll.events(0), EPOLLIN)
    assert.equal(event.drain(), true)
    assert.equal(event.drain(), false)
    assert.equal(epoll.wait(0), 0)
    assert.equal(epoll.modify(event.fd, EPOLLOUT, 7), 0)
    assert.equal(epoll.wait(0), 1)
    assert.deepEqual([epoll.data(0), epoll.events(0)], [7, EPOLLOUT])
    assert.equal(epoll.remove(event.fd), 0)
    assert.equal(epoll.wait(0), 0)
    assert.equal(epoll.remove(event.fd), -errno.ENOENT)
  })

  test('of many descriptors, at most as many are told at a time as there is room for', () => {
    using epoll = new Epoll(2)
    const events = [new EventDescriptor(), new EventDescriptor(), new EventDescriptor()]
    for (const [index, event] of events.entries()) {
      epoll.add(event.fd, EPOLLIN, index)
      event.signal()
    }
    const seen = new Set<number>()
    for (let turn = 0; turn < 3; turn++) {
      const count = epoll.wait(0)
      assert.ok(count <= 2)
      for (let i = 0; i < count; i++) {
        seen.add(epoll.data(i))
        events[epoll.data(i)]?.drain()
      }
    }
    assert.deepEqual(
      [...seen].toSorted((a, b) => a - b),
      [0, 1, 2],
    )
    for (const event of events) event[Symbol.dispose]()
  })
})

describe('interfaces', { skip }, () => {
  test('lo has number, MTU and type; one that is not there has none', () => {
    assert.ok(interfaceIndex('lo') >= 1)
    assert.ok(interfaceMtu('lo') >= 1280)
    assert.equal(interfaceType('lo'), ARPHRD_LOOPBACK)
    assert.deepEqual(interfaceLinkAddress('lo'), Buffer.alloc(6))
    for (const name of ['none', 'a name that is too long'])
      assert.deepEqual(
        [interfaceIndex(name), interfaceMtu(name), interfaceType(name), interfaceLinkAddress(name)],
        [-errno.ENODEV, -errno.ENODEV, -errno.ENODEV, undefined],
      )
  })
})
