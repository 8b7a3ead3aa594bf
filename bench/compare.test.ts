import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compare, spreadOf } from './compare.ts'
import type { Side } from './compare.ts'
import type { Contender } from './figures.ts'

const contender = (side: Side): Contender => ({
  side,
  endpoint: { host: '127.0.0.1', port: 1 },
  share: 'bench',
  folder: '',
  account: { user: '', password: '' },
})

test('the spread of values is minimum, median and maximum', () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { min: 1, median: 2, max: 3 })
  assert.deepEqual(spreadOf([4, 1, 2, 3]), { min: 1, median: 2.5, max: 4 })
})

test('servers take turns, and ratios are taken within a round', async () => {
  const turns: string[] = []
  const values = { ours: [10, 20, 30], peer: [10, 10, 10] }
  const measure = async ({ side }: Contender): Promise<number> => {
    turns.push(side)
    return values[side].shift() ?? 0
  }
  const { ratios } = await compare({ name: 'x', unit: 'y', measure }, [contender('ours'), contender('peer')], 3)
  assert.deepEqual(turns, ['ours', 'peer', 'peer', 'ours', 'ours', 'peer'])
  assert.deepEqual(ratios, [1, 2, 3])
})
