/** A few of the kill points of `npm run test:crash`: one of each kind. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { killPointKinds, someKillPoints } from '../crash/points.ts'
import type { KillPoint } from '../crash/points.ts'
import { Range } from '../crash/run.ts'
import type { Outcome } from '../crash/run.ts'

describe('a client whose server is killed, and started again', { timeout: 180_000 }, () => {
  let range: Range
  let undisturbed: Outcome
  let points: readonly KillPoint[]

  before(async () => {
    range = await Range.start()
    undisturbed = await range.run()
    points = someKillPoints(undisturbed)
  })
  after(async () => range?.[Symbol.asyncDispose]())

  test('without a crash all is as it should be', () => {
    assert.deepEqual(undisturbed.complaints, [])
    assert.equal(undisturbed.restarts, 0)
  })

  for (const [index, kind] of Object.keys(killPointKinds).entries()) {
    test(`notices nothing, and all is done exactly once: killed ${kind}`, async () => {
      const point = points[index]
      const { complaints, restarts } = await range.run(point, undisturbed.state)
      assert.deepEqual(complaints, [], `${kind}, number ${point.at}`)
      assert.equal(restarts, point.deaths)
    })
  }
})
