import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseWrk } from './wrk.ts'

const printed = `Running 2s test @ http://10.77.0.1/a
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.17ms    1.15ms  20.63ms   92.66%
    Req/Sec    31.49k     4.38k   38.86k    75.00%
  62711 requests in 2.01s, 1.50GB read
  Socket errors: connect 0, read 3, write 0, timeout 1
  Non-2xx or 3xx responses: 2
Requests/sec:  31243.27
Transfer/sec:     37.04MB
`

test('what wrk prints', () => {
  assert.deepEqual(parseWrk(printed), {
    requests: 62_711,
    bytes: 1.5 * 2 ** 30,
    requestsPerSecond: 31_243.27,
    bytesPerSecond: 37.04 * 2 ** 20,
    failed: 6,
    printed,
  })
})
