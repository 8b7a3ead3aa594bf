/**
 * What every block device must do, as tests of node:test. Run it for your own.
 */
import { describe, test } from 'node:test'
import { byteChecks } from './compliance/bytes.ts'
import { checksumChecks } from './compliance/checksums.ts'
import { placeChecks } from './compliance/places.ts'
import { provisioningChecks } from './compliance/provisioning.ts'
import { runRandomSteps } from './compliance/random.ts'
import { stateChecks } from './compliance/states.ts'
import type { BlockDeviceCheck, BlockDeviceUnderTest } from './compliance/scope.ts'

export { runRandomSteps } from './compliance/random.ts'
export type { BlockDeviceCheck, BlockDeviceUnderTest } from './compliance/scope.ts'

/** All checks: bytes, places, provisioning, states, checksums. Each needs a new device. */
export const blockDeviceChecks: readonly BlockDeviceCheck[] = [
  ...byteChecks,
  ...placeChecks,
  ...provisioningChecks,
  ...stateChecks,
  ...checksumChecks,
]

/** How much is done at random. */
export interface BlockComplianceOptions {
  /** Each decides a run of its own. 1 to 8 as a rule. */
  readonly seeds?: readonly number[]
  /** Of each run. */
  readonly steps?: number
}

/**
 * Declares the tests. Checks of what a subject cannot do are skipped. The last ones do things at random, and compare with a model.
 *
 * @example
 * blockDeviceCompliance('my disk', () => ({ device: memoryDevice({ sizeBytes: 1 << 20 }), dispose: () => {} }))
 */
export const blockDeviceCompliance = (
  name: string,
  factory: () => BlockDeviceUnderTest | Promise<BlockDeviceUnderTest>,
  { seeds = [1, 2, 3, 4, 5, 6, 7, 8], steps = 250 }: BlockComplianceOptions = {},
): void => {
  describe(`block device: ${name}`, () => {
    for (const { title, needs, run } of blockDeviceChecks) {
      test(title, async t => {
        const subject = await factory()
        try {
          if (needs !== undefined && subject[needs] === undefined) return t.skip(`no ${needs}`)
          await run(subject)
        } finally {
          await subject.dispose()
        }
      })
    }
    for (const seed of seeds) {
      test(`${steps} steps at random are those of a buffer (seed ${seed})`, async () => {
        const subject = await factory()
        try {
          await runRandomSteps(subject, { seed, steps })
        } finally {
          await subject.dispose()
        }
      })
    }
  })
}
