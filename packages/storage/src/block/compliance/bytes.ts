/** Reading and writing. */
import assert from 'node:assert/strict'
import { assertSame, check, contentOf, cutAt, filled, kibibyte, mebibyte, pattern, put } from './scope.ts'
import type { BlockDeviceCheck } from './scope.ts'

export const byteChecks: readonly BlockDeviceCheck[] = [
  check('a new device reads as zeros, to its last byte', async ({ device }) => {
    assertSame(await contentOf(device), filled(device.sizeBytes, 0), 'content')
  }),

  check('what is written is read, from 512 bytes to a megabyte, at every sector of a block', async ({ device }) => {
    const expected = filled(mebibyte, 0)
    for (const [index, lengthBytes] of [512, 1024, 3584, 4096, 4608, 12_288, 100 * kibibyte].entries()) {
      for (let sector = 0; sector < 8; sector++) {
        const bytes = pattern(lengthBytes, index * 8 + sector)
        const offset = index * 65_536 + sector * 8704
        await put(device, bytes, offset)
        bytes.copy(expected, offset)
        assertSame(await contentOf(device, offset, lengthBytes), bytes, `${lengthBytes} bytes at ${offset}`)
      }
    }
    assertSame(await contentOf(device, 0, mebibyte), expected, 'all of it')
    const whole = pattern(mebibyte, 99)
    await device.write([whole], 0)
    assertSame(await contentOf(device, 0, mebibyte), whole, 'a megabyte')
  }),

  check('the last sector can be written and read', async ({ device }) => {
    const bytes = pattern(512)
    await put(device, bytes, device.sizeBytes - 512)
    assertSame(await contentOf(device, device.sizeBytes - 1024), Buffer.concat([filled(512, 0), bytes]), 'the end')
  }),

  check('several buffers are one range, in shared memory and not, of any length', async ({ device }) => {
    const bytes = pattern(16_384)
    const shared = Buffer.from(new SharedArrayBuffer(20_000), 100, 16_384)
    bytes.copy(shared)
    const cuts = [1, 2, 513, 4097, 4097, 9000]
    await device.write(cutAt(shared, cuts), 1536)
    shared.fill(0)
    await device.read(cutAt(shared, [5, 8192]), 1536)
    assertSame(shared, bytes, 'read')
    if (device.writeNow(cutAt(bytes, cuts), 100 * 512)) {
      const into = Buffer.alloc(16_384)
      if (!device.readNow(cutAt(into, [77, 12_000]), 100 * 512)) await device.read(cutAt(into, [77, 12_000]), 100 * 512)
      assertSame(into, bytes, 'written and read at once')
    }
  }),

  check('several thousand buffers are one range too', async ({ device }) => {
    const bytes = pattern(32_768)
    const parts = Array.from({ length: 4096 }, (_, index) => bytes.subarray(index * 8, index * 8 + 8))
    for (const offset of [0, 65_536 + 512]) {
      await device.write(parts, offset)
      const into = Buffer.alloc(32_768)
      const targets = parts.map((_, index) => into.subarray(index * 8, index * 8 + 8))
      await device.read(targets, offset)
      assertSame(into, bytes, `at ${offset}`)
    }
  }),

  check('a write that is durable is read as any other, and so is what was flushed', async ({ device }) => {
    const bytes = pattern(8192)
    await device.write([bytes], 512, { isDurable: true })
    await put(device, bytes, 65_536)
    await Promise.all([device.flush(), device.flush(), device.flush()])
    assertSame(await contentOf(device, 512, 8192), bytes, 'durable')
    assertSame(await contentOf(device, 65_536, 8192), bytes, 'flushed')
  }),

  check('writes of one range at the same time leave the range of one, and no read sees two of them', async ({ device }) => {
    const lengthBytes = 256 * kibibyte
    const offset = 1536
    const uniform = async (): Promise<void> => {
      const content = await contentOf(device, offset, lengthBytes)
      assertSame(content, filled(lengthBytes, content[0]), 'a read')
    }
    const work: Promise<unknown>[] = []
    for (let value = 1; value <= 24; value++) {
      const bytes = filled(lengthBytes, value)
      work.push(device.write(cutAt(bytes, [100, 70_000]), offset, { isDurable: value % 8 === 0 }), uniform())
      if (value % 3 === 0) device.writeNow([bytes], offset)
    }
    await Promise.all(work)
    await uniform()
    assert.notEqual((await contentOf(device, offset, 1))[0], 0)
  }),

  check('a write that is atomic is read as any other, in whatever place, up to the most that may be (SBC-4 4.29)', async ({ device }) => {
    const most = Math.min(device.maximumAtomicBytes ?? device.physicalBlockBytes, mebibyte)
    const expected = filled(mebibyte, 0)
    for (const [index, lengthBytes] of [512, 4096, 4608, 70_144, most - 512, most].entries()) {
      if (lengthBytes > most) continue
      const end = device.maximumAtomicBytes === undefined ? device.physicalBlockBytes : mebibyte
      for (const offset of new Set([0, Math.min(3584, end - lengthBytes), end - lengthBytes])) {
        const bytes = pattern(lengthBytes, index + offset)
        await device.write(cutAt(bytes, [100, 101]), offset, { isAtomic: true, isDurable: index % 2 === 0 })
        bytes.copy(expected, offset)
        assertSame(await contentOf(device, 0, mebibyte), expected, `${lengthBytes} bytes at ${offset}`)
      }
    }
  }),

  check('atomic writes of ranges that overlap, beside others, happen one after the other, and no read sees two of them', async ({ device }) => {
    const lengthBytes = Math.min(device.maximumAtomicBytes ?? device.physicalBlockBytes, 200 * kibibyte)
    const offset = device.maximumAtomicBytes === undefined ? 0 : 512 * 511
    const uniform = async (): Promise<void> => {
      const content = await contentOf(device, offset, lengthBytes)
      assertSame(content, filled(lengthBytes, content[0]), 'a read')
    }
    const work: Promise<unknown>[] = []
    for (let value = 1; value <= 20; value++) {
      const bytes = filled(lengthBytes, value)
      work.push(device.write(cutAt(bytes, [70]), offset, { isAtomic: value % 4 > 0 }), uniform())
      if (value % 5 === 0) device.writeNow([bytes], offset)
      const others = offset + (lengthBytes + 4096) * (1 + (value % 2))
      work.push(device.write([bytes], others - (others % 4096), { isAtomic: true }))
    }
    await Promise.all(work)
    await uniform()
    assert.notEqual((await contentOf(device, offset, 1))[0], 0)
  }),

  check('sectors of one block are written at the same time, and all of them are there', async ({ device }) => {
    const bytes = pattern(65_536)
    const sectors = Array.from({ length: 128 }, (_, index) => index)
    await Promise.all(
      sectors.map(index => device.write([bytes.subarray(index * 512, index * 512 + 512)], index * 512, { isDurable: index % 2 === 0 })),
    )
    assertSame(await contentOf(device, 0, 65_536), bytes, 'sectors')
  }),

  check('compareAndWrite writes where the medium is as expected, and nowhere else (SBC-4 5.3)', async ({ device }) => {
    const bytes = pattern(4096)
    await put(device, bytes, 1024)
    const other = Buffer.from(bytes)
    other[1234] ^= 1
    assert.equal(await device.compareAndWrite(cutAt(other, [1000, 2000]), [filled(4096, 9)], 1024), 1234)
    assertSame(await contentOf(device, 1024, 4096), bytes, 'after a mismatch')
    const next = pattern(4096, 5)
    assert.equal(await device.compareAndWrite(cutAt(bytes, [3]), cutAt(next, [600, 601]), 1024, { isDurable: true }), -1)
    assertSame(await contentOf(device, 0, 8192), Buffer.concat([filled(1024, 0), next, filled(3072, 0)]), 'after a match')
    assert.equal(await device.compareAndWrite([filled(512, 0)], [filled(512, 1)], 0), -1, 'where nothing was written')
    assert.equal(await device.compareAndWrite([filled(512, 2)], [filled(512, 3)], 0), 0)
  }),

  check('of those who compareAndWrite a sector at the same time one at a time wins', async ({ device }) => {
    const sector = (value: number): Buffer => {
      const bytes = filled(512, 0)
      bytes.writeUInt32LE(value)
      return bytes
    }
    const offset = 3584
    const count = async (): Promise<void> => {
      for (let done = 0; done < 20;) {
        const now = await contentOf(device, offset, 512)
        if ((await device.compareAndWrite([now], [sector(now.readUInt32LE() + 1)], offset)) === -1) done++
      }
    }
    await Promise.all([count(), count(), count(), count()])
    assert.equal((await contentOf(device, offset, 512)).readUInt32LE(), 80)
  }),

  check('orWrite sets bits, also of several at the same time (SBC-4 5.24)', async ({ device }) => {
    const bytes = pattern(8192)
    await put(device, bytes, 512)
    const bits = Array.from({ length: 8 }, (_, bit) => filled(8192, 1 << bit))
    await Promise.all(bits.slice(0, 3).map((part, index) => device.orWrite(cutAt(part, [900]), 512, { isDurable: index === 1 })))
    const expected = bytes.map(byte => byte | 7)
    assertSame(await contentOf(device, 512, 8192), Buffer.from(expected), 'or')
    await Promise.all(bits.map(part => device.orWrite([part], 40_960)))
    assertSame(await contentOf(device, 40_960, 8192), filled(8192, 0xff), 'eight at a time')
  }),
]
