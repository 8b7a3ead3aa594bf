import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import type { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { NetworkInterfaceInfo } from '../../../messages/fsctl-network.ts'
import { NetworkInterfaces } from './network-interfaces.ts'

const folder = await mkdtemp(join(tmpdir(), 'interfaces-'))
after(() => rm(folder, { recursive: true }))

const files: Readonly<Record<string, string>> = {
  'net/lo/ifindex': '1\n',
  'net/lo/queues/rx-0/x': '',
  'net/eth0/ifindex': '4\n',
  'net/eth0/speed': '25000\n',
  'net/eth0/queues/rx-0/x': '',
  'net/eth0/queues/rx-1/x': '',
  'net/eth0/queues/tx-0/x': '',
  'net/eth1/ifindex': '5\n',
  'net/eth1/speed': '-1\n',
  'net/eth1/queues/rx-0/x': '',
  'infiniband/rdma0/device/net/eth1/x': '',
  'infiniband/rdma0/ports/1/gid_attrs/ndevs/0': 'bond0\n',
}
for (const [path, text] of Object.entries(files)) {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), text)
}

const v4 = (address: string, internal = false) => ({ address, family: 'IPv4', internal, netmask: '', mac: '', cidr: null }) as const
const v6 = (address: string, internal = false) => ({ ...v4(address, internal), family: 'IPv6', scopeid: 0 }) as const
const addresses: ReturnType<typeof networkInterfaces> = {
  lo: [v4('127.0.0.1', true), v6('::1', true)],
  eth0: [v4('192.0.2.1'), v6('2001:db8::1'), v6('fe80::1')],
  'eth0:1': [v4('192.0.2.7')],
  eth1: [v4('198.51.100.1')],
  bond0: [v4('203.0.113.1')],
}

const list = async (listensOn: readonly string[], options: { offersRdma?: boolean; all?: typeof addresses } = {}) => {
  const sources = { addresses: () => options.all ?? addresses, resolve: async () => ['198.51.100.1'], folder, now: () => 0 }
  const interfaces = await new NetworkInterfaces(sources).of({ listensOn, offersRdma: options.offersRdma ?? false })
  return interfaces.map(
    ({ ifIndex, capability, linkSpeed, address }) =>
      `${ifIndex} ${capability} ${linkSpeed / 1_000_000_000n}G ${Buffer.from(address).toString('hex')}`,
  )
}

const eth0 = ['4 1 25G c0000201', '4 1 25G 20010db8000000000000000000000001', '4 1 25G c0000207']
const eth1 = ['5 0 10G c6336401']

describe('network interfaces (MS-SMB2 2.2.32.5)', () => {
  test('a wildcard is every address but loopback and what is valid on one link only', async () => {
    for (const host of ['', '::']) assert.deepEqual(await list([host]), [...eth0, ...eth1, '3 0 10G cb007101'])
    assert.deepEqual(await list(['0.0.0.0']), [eth0[0], eth0[2], ...eth1, '3 0 10G cb007101'])
  })

  test('otherwise they are the addresses of the listeners, by number or by name', async () => {
    assert.deepEqual(await list(['192.0.2.7', '2001:db8::1']), [eth0[1], eth0[2]])
    assert.deepEqual(await list(['files.example']), eth1)
    assert.deepEqual(await list(['127.0.0.1', '198.51.100.1']), eth1)
  })

  test('loopback is told where there is nothing else', async () => {
    assert.deepEqual(await list(['127.0.0.1']), ['1 0 10G 7f000001'])
    assert.deepEqual(await list([''], { all: { lo: addresses.lo } }), ['1 0 10G 7f000001', `1 0 10G ${'0'.repeat(31)}1`])
  })

  test('RDMA is told where there is a device for it, and a listener', async () => {
    assert.deepEqual(await list(['198.51.100.1', '203.0.113.1'], { offersRdma: true }), ['5 2 10G c6336401', '2 2 10G cb007101'])
    assert.deepEqual(await list(['192.0.2.1'], { offersRdma: true }), [eth0[0]])
  })

  test('what was read is used for a short time', async () => {
    let reads = 0
    let now = 0
    const interfaces = new NetworkInterfaces({ addresses: () => (reads++, addresses), resolve: async () => [], folder, now: () => now })
    const listened = { listensOn: ['192.0.2.1'], offersRdma: false }
    const [first, second] = await Promise.all([interfaces.of(listened), interfaces.of(listened)])
    assert.equal(first, second)
    assert.equal(reads, 1)
    now = 5_000
    await interfaces.of(listened)
    assert.equal(reads, 2)
    assert.equal(
      NetworkInterfaceInfo.toBytes(first).toString('hex', 0, 40),
      '00000000 04000000 01000000 00000000 00ba1dd205000000 0200 0000 c0000201 0000000000000000'.replaceAll(' ', ''),
    )
  })
})
