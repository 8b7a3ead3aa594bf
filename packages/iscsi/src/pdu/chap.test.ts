import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex } from '@holdfast/wire'
import { captured } from './captured.ts'
import { chapAlgorithm, chapAlgorithms, chapResponse, verifyChapResponse } from './chap.ts'
import { dataSegmentBytes } from './header.ts'
import { parseBinary, parseText, textMap } from './text/index.ts'

const textOf = (title: string): Map<string, string> => {
  const { bytes } = captured.find(found => found.title === title)!
  return textMap(parseText(bytes.subarray(48, 48 + dataSegmentBytes(bytes))))
}

test('the response that libiscsi gave to tgt (RFC 1994 4.1)', () => {
  const asked = textOf('Login Response, CHAP_C')
  const answered = textOf('Login Request, CHAP_R')
  const challenge = {
    algorithm: chapAlgorithm(Number(asked.get('CHAP_A')))!,
    identifier: Number(asked.get('CHAP_I')),
    challenge: parseBinary(asked.get('CHAP_C')!),
  }
  const response = parseBinary(answered.get('CHAP_R')!)
  assert.deepEqual(chapResponse(challenge, 'Correct-Horse-1'), response)
  assert.ok(verifyChapResponse(challenge, 'Correct-Horse-1', response))
  assert.ok(!verifyChapResponse(challenge, 'Correct-Horse-2', response))
  assert.ok(!verifyChapResponse({ ...challenge, identifier: challenge.identifier + 1 }, 'Correct-Horse-1', response))
  assert.ok(!verifyChapResponse(challenge, 'Correct-Horse-1', response.subarray(1)))
})

describe('the registered algorithms', () => {
  // Of identifier 01, the secret "secret" and challenge 0102, by md5sum, sha1sum, sha256sum and openssl.
  const expected: Readonly<Record<number, string>> = {
    5: '18c6ee42cdcc2258144945ad28cad5a2',
    6: '5428dd78a52ad8cbdf96107308d2ca57bff9766b',
    7: 'fb85e2136df6f005f7248f09b4a26d4fc7e6c4a0b9db23378b30655915093e8d',
    8: 'd88ef921aff7de3e9d8d4e98d67fd3d1838264dc62b4c9a927974073971cc962',
  }
  for (const algorithm of chapAlgorithms) {
    test(`${algorithm.number} is ${algorithm.hash}`, () => {
      const response = chapResponse({ algorithm, identifier: 1, challenge: hex('0102') }, 'secret')
      assert.equal(response.length, algorithm.responseBytes)
      assert.equal(response.toString('hex'), expected[algorithm.number])
    })
  }
  test('no other', () => assert.equal(chapAlgorithm(4), undefined))
})
