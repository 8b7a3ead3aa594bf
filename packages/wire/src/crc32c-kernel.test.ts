import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { foldedBytes, instantiateKernel, longMultiple, remainderBytes, shortMultiple } from './crc32c-kernel.ts'

/** Castagnoli's polynomial, with its highest term: x^32 + x^28 + x^27 + … + 1 (RFC 7143 13.1: 11EDC6F41h). */
const polynomial = 0x1_1edc_6f41n

/** Remainder of a sum of powers of x by the polynomial. */
function remainder(exponents: readonly number[]): bigint {
  let value = exponents.reduce((acc, exponent) => acc ^ (1n << BigInt(exponent)), 0n)
  for (let bit = BigInt(Math.max(...exponents)); bit >= 32n; bit--) if ((value >> bit) & 1n) value ^= polynomial << (bit - 32n)
  return value
}

describe('what the folds rest on', () => {
  for (const multiple of [shortMultiple, longMultiple]) {
    test(`a multiple of ${multiple.length} terms`, () => {
      assert.equal(remainder(multiple), 0n)
      assert.equal(remainder(multiple.map(exponent => exponent * 128)), 0n, 'and with x^128 for x')
      assert.notEqual(remainder([...multiple, 1]), 0n)
    })
  }

  test('the tables take what the fold by the short multiple leaves, in streams of whole steps', () => {
    assert.equal(remainderBytes, foldedBytes(shortMultiple))
    assert.equal(remainderBytes % (4 * 8), 0)
  })
})

test('this machine has WebAssembly with SIMD, so that the other tests reach the kernel', () => {
  assert.notEqual(instantiateKernel(new Uint32Array(8 * 256)), undefined)
})
