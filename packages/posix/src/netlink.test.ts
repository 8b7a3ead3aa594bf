import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BPF_PROG_TYPE_SCHED_CLS, TC_ACT_SHOT, loadProgram } from './bpf/index.ts'
import { errno, unsupportedReason } from './index.ts'
import { RouteType, addClsact, attachFilter, capabilities, capabilitiesIn, detachFilter, routeTo } from './netlink.ts'
import { formatAddress, inNetworkNamespace, inNewNetworkNamespace, interfaceIndex, parseAddress } from './network.ts'

const skip = unsupportedReason ?? false

describe('the route to an address', { skip }, () => {
  test('of this machine is the loopback', () => {
    const route = routeTo(parseAddress('127.0.0.1'))
    assert.deepEqual(
      [route.interfaceIndex, route.gateway, formatAddress(route.source), route.type],
      [interfaceIndex('lo'), undefined, '127.0.0.1', RouteType.local],
    )
    const route6 = routeTo(parseAddress('::1'))
    assert.deepEqual([route6.interfaceIndex, formatAddress(route6.source), route6.type], [interfaceIndex('lo'), '::1', RouteType.local])
  })
})

test('capabilities are read from CapEff', () => {
  const of = (mask: string): string => `Name:\tnode\nCapPrm:\tffffffffffffffff\nCapEff:\t${mask}\nCapBnd:\tffffffffffffffff\n`
  const none = { netAdmin: false, netRaw: false, bpf: false, sysAdmin: false }
  assert.deepEqual(capabilitiesIn(of('0000000000000000')), none)
  assert.deepEqual(capabilitiesIn(of('0000000000001000')), { ...none, netAdmin: true })
  assert.deepEqual(capabilitiesIn(of('0000000000002000')), { ...none, netRaw: true })
  assert.deepEqual(capabilitiesIn(of('0000000000200000')), { ...none, sysAdmin: true })
  assert.deepEqual(capabilitiesIn(of('0000008000000000')), { ...none, bpf: true })
  assert.deepEqual(capabilitiesIn(''), none)
})

const may = skip === false ? capabilities() : undefined
const cannot = skip || (may?.netAdmin && may.bpf && may.sysAdmin ? false : 'needs CAP_NET_ADMIN, CAP_BPF and CAP_SYS_ADMIN')

describe('in a network namespace', { skip: cannot }, () => {
  test('of its own there are other interfaces and routes, and afterwards the old ones', () => {
    const before = routeTo(parseAddress('127.0.0.1'))
    inNewNetworkNamespace(() => {
      // The loopback is down.
      assert.throws(() => routeTo(parseAddress('192.0.2.1')), { code: 'ENETUNREACH', call: 'RTM_GETROUTE' })
      assert.throws(() => routeTo(parseAddress('2001:db8::1')), { code: 'ENETUNREACH' })
    })
    assert.deepEqual(routeTo(parseAddress('127.0.0.1')), before)
    assert.throws(
      () =>
        inNewNetworkNamespace(() => {
          throw new Error('from inside')
        }),
      /from inside/,
    )
    assert.deepEqual(routeTo(parseAddress('127.0.0.1')), before)
    assert.equal(
      inNetworkNamespace('/proc/self/ns/net', () => 7),
      7,
    )
    assert.throws(() => inNetworkNamespace('/dev/null', () => 7), { code: 'EINVAL' })
  })

  test('a filter is put at an interface with clsact, replaced, and taken away', () => {
    using drop = loadProgram({
      type: BPF_PROG_TYPE_SCHED_CLS,
      instructions: Buffer.from('b7000000020000009500000000000000', 'hex'),
      name: 'drop',
    })
    using pass = loadProgram({
      type: BPF_PROG_TYPE_SCHED_CLS,
      instructions: Buffer.from('b7000000000000009500000000000000', 'hex'),
      name: 'pass',
    })
    assert.equal(drop.testRun({ packet: Buffer.alloc(64) }).returned, TC_ACT_SHOT)
    const lo = interfaceIndex('lo')
    for (const direction of ['ingress', 'egress'] as const)
      inNewNetworkNamespace(() => {
        const place = { interfaceIndex: lo, direction, priority: 7 }
        assert.throws(
          () => attachFilter(pass, place, 'early'),
          (error: unknown) => [errno.EINVAL, errno.ENOENT].includes((error as { errno: number }).errno),
        )
        assert.equal(detachFilter(place), false)
        addClsact(lo)
        addClsact(lo)
        assert.equal(detachFilter(place), false)
        attachFilter(drop, place, 'a filter')
        attachFilter(pass, place, 'another')
        assert.equal(detachFilter(place), true)
        assert.equal(detachFilter(place), false)
      })
    assert.throws(() => addClsact(0x7fff_fff0), { code: 'ENODEV' })
  })
})
