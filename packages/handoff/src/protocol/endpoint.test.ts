import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from '@holdfast/wire'
import { endpointOf, parseEndpoint } from './endpoint.ts'

test('an endpoint is written in one way, IPv6 in brackets (RFC 5952 6)', () => {
  const texts: readonly [string, string, string][] = [
    ['10.0.0.1:7001', '10.0.0.1:7001', '00000000 00000000 0000ffff 0a000001'],
    ['[2001:DB8:0:0::1]:80', '[2001:db8::1]:80', '20010db8 00000000 00000000 00000001'],
    ['[::1]:65535', '[::1]:65535', '00000000 00000000 00000000 00000001'],
    ['[::ffff:10.0.0.1]:1', '10.0.0.1:1', '00000000 00000000 0000ffff 0a000001'],
    ['[1:2:3:4:5:6:7:8]:9', '[1:2:3:4:5:6:7:8]:9', '00010002 00030004 00050006 00070008'],
  ]
  for (const [text, normal, address] of texts) {
    const endpoint = parseEndpoint(text)
    assert.equal(endpoint.text, normal)
    assert.deepEqual(endpoint.address, hex(address))
    assert.deepEqual(endpointOf(endpoint.address, endpoint.port), endpoint)
  }
})

test('what is no address with a port is refused, and told what is allowed', () => {
  const texts = ['', ':80', '10.0.0.1', '10.0.0.1:', '10.0.0.1:0', '10.0.0.1:65536', '10.0.0.1:+80', '10.0.0:80', 'example.org:80', '::1:80', '[::1]']
  for (const text of [...texts, '[10.0.0.1]:80', '[fe80::1%eth0]:80', '[::1:80', '10.0.0.1:8 0'])
    assert.throws(() => parseEndpoint(text), { code: 'bad-endpoint', message: /allowed are 10\.0\.0\.1:7001 and \[2001:db8::1\]:7001/ }, text)
})

test('an endpoint keeps its own copy of the address', () => {
  const address = hex('20010db8 00000000 00000000 00000001')
  const endpoint = endpointOf(address, 1)
  address.fill(0)
  assert.equal(endpoint.address[0], 0x20)
})
