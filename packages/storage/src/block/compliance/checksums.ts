/** Media that change by themselves. */
import assert from 'node:assert/strict'
import type { BlockDevice, BlockDeviceError } from '../block-device.ts'
import { assertSame, checkWith, contentOf, filled, kibibyte, mebibyte, pattern } from './scope.ts'
import type { BlockDeviceCheck } from './scope.ts'

/** What is read there is an error that says which block it is, and the same with its neighbours. */
const assertCorrupt = async (device: BlockDevice, offset: number): Promise<void> => {
  for (const [at, lengthBytes] of [
    [offset, 512],
    [offset - 8192, 16_384],
  ] as const) {
    assert.equal(device.readNow([Buffer.alloc(lengthBytes)], at), false)
    await assert.rejects(device.read([Buffer.alloc(lengthBytes)], at), (error: BlockDeviceError) => {
      assert.deepEqual([error.code, error.offset], ['CORRUPT', offset])
      return true
    })
  }
}

export const checksumChecks: readonly BlockDeviceCheck[] = [
  checkWith('damage', 'a byte that has changed on the medium is an error, and never data, until the block is written', async subject => {
    const { device } = subject
    const expected = pattern(mebibyte)
    await device.write([expected], 0)
    await device.flush()
    const block = 299_008
    await subject.damage!(block + 1234)
    await assertCorrupt(device, block)
    assertSame(await contentOf(device, 0, block), expected.subarray(0, block), 'before it')
    assertSame(await contentOf(device, block + 4096, kibibyte), expected.subarray(block + 4096, block + 4096 + kibibyte), 'behind it')
    const sector = [filled(512, 1)]
    const corrupt = { code: 'CORRUPT', offset: block }
    assert.equal(device.writeNow(sector, block + 512), false)
    await assert.rejects(device.write(sector, block + 512), corrupt)
    await assert.rejects(device.orWrite(sector, block + 512), corrupt)
    await assert.rejects(device.compareAndWrite(sector, sector, block + 512), corrupt)
    await assert.rejects(device.unmap(block + 512, 512), corrupt)
    await assert.rejects(device.zero(block + 512, 8192), corrupt)
    await assertCorrupt(device, block)
    const whole = pattern(4096, 7)
    await device.write([whole], block)
    whole.copy(expected, block)
    assertSame(await contentOf(device, 0, mebibyte), expected, 'when it has been written')
  }),

  checkWith('damage', 'a byte that has changed on the medium is an error where there was nothing, and none once that is unmapped', async subject => {
    const { device } = subject
    await device.write([filled(512, 1)], 0)
    await device.flush()
    await subject.damage!(40_960)
    await assertCorrupt(device, 40_960)
    await device.unmap(40_960, 4096)
    assertSame(await contentOf(device, 4096, 102_400), filled(102_400, 0), 'unmapped')
  }),

  checkWith('damage', 'a byte that has changed while the device was closed is an error', async subject => {
    const expected = pattern(mebibyte)
    await subject.device.write([expected], 0)
    await subject.reopen!(true)
    await subject.damage!(500_000)
    const device = await subject.reopen!(true)
    await assertCorrupt(device, 499_712)
    assertSame(await contentOf(device, 0, 499_712), expected.subarray(0, 499_712), 'before it')
  }),
]
