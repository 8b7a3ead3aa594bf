import assert from 'node:assert/strict'
import { test } from 'node:test'
import { volumeMapText } from './map.ts'

const MiB = 2 ** 20
const map = (...cells: readonly number[]) => ({ sizeBytes: cells.length * MiB, cellBytes: MiB, cells: Buffer.from(cells).toString('base64') })

test('empty, partly and full are told apart', () => {
  assert.deepEqual(volumeMapText(map(0, 1, 100, 200, 254, 255), 80), ['·░▒▓▓█', 'one character: 1MiB, · empty to █ full'])
})

test('a row is no wider than the terminal; cells share a character where there are many', () => {
  const many = volumeMapText(map(...Array.from({ length: 256 }, (_, index) => (index < 128 ? 255 : 0))), 16)
  assert.deepEqual(many.slice(0, -1), [...Array<string>(4).fill('█'.repeat(16)), ...Array<string>(4).fill('·'.repeat(16))])
  assert.equal(many.at(-1), 'one character: 2MiB, · empty to █ full')
  // One cell of many that has something is seen.
  assert.equal(
    volumeMapText(map(...Array<number>(1000).fill(0), 1), 8)
      .join('')
      .includes('░'),
    true,
  )
})

test('a volume may end within a cell: that one is full when all of it is there', () => {
  assert.equal(volumeMapText({ sizeBytes: 1.5 * MiB, cellBytes: MiB, cells: Buffer.from([255, 128]).toString('base64') }, 80)[0], '██')
})

test('a volume without pages has a legend only', () => assert.equal(volumeMapText({ sizeBytes: 0, cellBytes: MiB, cells: '' }, 80).length, 1))
