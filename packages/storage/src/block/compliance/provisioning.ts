/** What is stored, and what is not. */
import assert from 'node:assert/strict'
import type { BlockDevice, ProvisioningRun } from '../block-device.ts'
import { assertSame, check, contentOf, filled, kibibyte, pattern, put } from './scope.ts'
import type { BlockDeviceCheck } from './scope.ts'

/** Runs that follow each other without gap, and alternate. */
export const assertRuns = (runs: readonly ProvisioningRun[], offset: number): void => {
  let at = offset
  for (const [index, run] of runs.entries()) {
    assert.equal(run.offset, at, `run ${index} begins where the one before ends`)
    assert.ok(run.lengthBytes > 0, `run ${index} is not empty`)
    assert.notEqual(run.isMapped, runs[index - 1]?.isMapped, `run ${index} differs from the one before`)
    at += run.lengthBytes
  }
}

/** Every sector that is mapped. */
const mappedIn = async (device: BlockDevice, offset: number, lengthBytes: number): Promise<boolean[]> => {
  const runs = await device.provisioning(offset, lengthBytes, Number.MAX_SAFE_INTEGER)
  assertRuns(runs, offset)
  const sectors = runs.flatMap(run => Array.from({ length: run.lengthBytes / 512 }, () => run.isMapped))
  assert.ok(sectors.length * 512 >= lengthBytes)
  return sectors.slice(0, lengthBytes / 512)
}

export const provisioningChecks: readonly BlockDeviceCheck[] = [
  check('unmap makes zeros, of sectors too, and leaves what is beside them', async ({ device }) => {
    const expected = pattern(65_536)
    await put(device, expected, 0)
    for (const [offset, lengthBytes] of [
      [512, 512],
      [4096, 4096],
      [10_240, 9216],
      [24_576 - 512, 1024],
      [40_960, 24_576],
    ]) {
      await device.unmap(offset, lengthBytes)
      expected.fill(0, offset, offset + lengthBytes)
      assertSame(await contentOf(device, 0, 65_536), expected, `${lengthBytes} bytes at ${offset}`)
    }
    await put(device, filled(512, 7), 45_056)
    expected.fill(7, 45_056, 45_568)
    assertSame(await contentOf(device, 0, 65_536), expected, 'written again')
  }),

  check('unmap gives blocks back where the device is thin', async ({ device }) => {
    if (!device.isThin) return
    const { physicalBlockBytes } = device
    const lengthBytes = 512 * kibibyte
    await put(device, pattern(lengthBytes), 0)
    await device.flush()
    const before = await device.usage()
    assert.ok(before.usedBytes >= lengthBytes, `${before.usedBytes} bytes are used`)
    await device.unmap(512, lengthBytes / 2)
    const after = await device.usage()
    assert.ok(before.usedBytes - after.usedBytes >= lengthBytes / 2 - 2 * physicalBlockBytes, `${before.usedBytes} -> ${after.usedBytes}`)
    const mapped = await mappedIn(device, physicalBlockBytes, lengthBytes / 2 - physicalBlockBytes)
    assert.ok(mapped.every(isMapped => !isMapped))
  }),

  check('unmapping everything leaves zeros, and nothing stored', async ({ device }) => {
    await put(device, pattern(300 * kibibyte), 100 * kibibyte)
    await device.unmap(0, device.sizeBytes)
    assertSame(await contentOf(device), filled(device.sizeBytes, 0), 'content')
    if (device.isThin)
      assert.deepEqual(await device.provisioning(0, device.sizeBytes, 9), [{ offset: 0, lengthBytes: device.sizeBytes, isMapped: false }])
  }),

  check('zero makes zeros, of sectors too, and leaves what is beside them', async ({ device }) => {
    const expected = pattern(65_536)
    await put(device, expected, 0)
    for (const [offset, lengthBytes] of [
      [1024, 512],
      [8192, 4096],
      [13_312, 9216],
      [65_536 - 512, 512],
    ]) {
      await device.zero(offset, lengthBytes)
      expected.fill(0, offset, offset + lengthBytes)
      assertSame(await contentOf(device, 0, 65_536), expected, `${lengthBytes} bytes at ${offset}`)
    }
  }),

  check('what is written is mapped, and what is not mapped reads as zeros', async ({ device }) => {
    await put(device, filled(512, 1), 20_480)
    await put(device, filled(8192, 1), 200_704)
    const mapped = await mappedIn(device, 0, 512 * kibibyte)
    assert.equal(mapped[20_480 / 512], true)
    assert.ok(mapped.slice(200_704 / 512, 208_896 / 512).every(isMapped => isMapped))
    const content = await contentOf(device, 0, 512 * kibibyte)
    for (const [sector, isMapped] of mapped.entries()) {
      if (!isMapped) assertSame(content.subarray(sector * 512, sector * 512 + 512), filled(512, 0), `sector ${sector}`)
    }
    if (device.isThin) assert.equal(mapped[60_000 >> 9], false)
  }),

  check('provisioning tells no more runs than asked for, from any sector on, and none beyond the end', async ({ device }) => {
    for (let index = 0; index < 8; index++) await put(device, filled(4096, 1), index * 65_536)
    const all = await device.provisioning(0, device.sizeBytes, 100)
    assertRuns(all, 0)
    const last = all.at(-1)!
    assert.equal(last.offset + last.lengthBytes, device.sizeBytes)
    for (const maxRuns of [1, 2, 3]) assert.deepEqual(await device.provisioning(0, device.sizeBytes, maxRuns), all.slice(0, maxRuns))
    const within = await device.provisioning(512, 1024, 100)
    assert.deepEqual(within[0].offset, 512)
    assert.equal(within[0].isMapped, true)
    const end = device.sizeBytes
    assert.deepEqual(
      (await device.provisioning(end - 512, 512, 4)).map(run => run.offset + run.lengthBytes),
      [end],
    )
  }),
]
