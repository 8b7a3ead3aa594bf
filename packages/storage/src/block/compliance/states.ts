/** Growth, snapshots, and being opened again. */
import assert from 'node:assert/strict'
import { assertSame, checkWith, contentOf, fails, filled, kibibyte, mebibyte, pattern, put } from './scope.ts'
import type { BlockDeviceCheck } from './scope.ts'

export const stateChecks: readonly BlockDeviceCheck[] = [
  checkWith('resize', 'a device grows while it is used: what is added reads as zeros, can be written, and listeners hear of it', async subject => {
    const { device } = subject
    const before = device.sizeBytes
    const bytes = pattern(before)
    await device.write([bytes], 0)
    const heard: number[] = []
    const stop = device.onResize(sizeBytes => heard.push(sizeBytes))
    const after = before + 3 * mebibyte + 4096
    await Promise.all([subject.resize?.(after), device.write([filled(512, 1)], before - 512)])
    bytes.fill(1, before - 512)
    assert.deepEqual([device.sizeBytes, heard], [after, [after]])
    assertSame(await contentOf(device), Buffer.concat([bytes, filled(after - before, 0)]), 'content')
    stop()
    const end = filled(8192, 3)
    await put(device, end, after - 8192)
    await put(device, end, before - 4096)
    await subject.resize?.(after + 4096)
    assert.deepEqual(heard, [after], 'nobody listens any more')
    assertSame(await contentOf(device, before - 4096, 8192), end, 'over the old end')
    assertSame(await contentOf(device, after - 8192), Buffer.concat([end, filled(4096, 0)]), 'before the new end')
  }),

  checkWith('reopen', 'what was written is there when it is opened again, what was unmapped is not', async subject => {
    const expected = pattern(subject.device.sizeBytes)
    await subject.device.write([expected], 0)
    await subject.device.unmap(4096, 200 * kibibyte)
    expected.fill(0, 4096, 4096 + 200 * kibibyte)
    for (const isClean of [true, false]) {
      const device = await subject.reopen!(isClean)
      assertSame(await contentOf(device), expected, isClean ? 'after closing' : 'after an end')
      await device.write([filled(1024, 5)], 512)
      expected.fill(5, 512, 1536)
    }
  }),

  checkWith('reopen', 'an atomic write is there when it is opened again, and undoes nothing that was written after it', async subject => {
    const { device } = subject
    const most = Math.min(device.maximumAtomicBytes ?? device.physicalBlockBytes, mebibyte)
    const expected = filled(mebibyte, 0)
    for (const seed of [1, 2]) {
      await device.write([pattern(most, seed)], 0, { isAtomic: true })
      pattern(most, seed).copy(expected)
    }
    await put(device, filled(1024, 7), 512)
    await device.unmap(2048, 1024)
    expected.fill(7, 512, 1536).fill(0, 2048, 3072)
    for (const isClean of [false, true]) assertSame(await contentOf(await subject.reopen!(isClean), 0, mebibyte), expected, `clean: ${isClean}`)
  }),

  checkWith('snapshot', 'a snapshot stays as it is, whatever becomes of the device', async subject => {
    const { device } = subject
    const first = pattern(mebibyte)
    await device.write([first], 0)
    await device.unmap(500 * kibibyte, 100 * kibibyte)
    first.fill(0, 500 * kibibyte, 600 * kibibyte)
    await subject.snapshot?.('first')
    const second = Buffer.from(first)
    for (const [index, offset] of [512, 9000 * 8, 299_520, 510 * kibibyte, 1_040_384].entries()) {
      const at = offset - (offset % 512)
      await device.write([filled(1536, index + 1)], at)
      second.fill(index + 1, at, at + 1536)
    }
    await device.unmap(200_192, 70_144)
    second.fill(0, 200_192, 200_192 + 70_144)
    await device.zero(400_384, 20_992)
    second.fill(0, 400_384, 400_384 + 20_992)
    assertSame(await contentOf(device, 0, mebibyte), second, 'the device')
    const snapshot = await subject.openSnapshot!('first')
    assertSame(await contentOf(snapshot, 0, mebibyte), first, 'the snapshot')
    await subject.snapshot?.('second')
    await device.write([pattern(mebibyte, 9)], 0)
    assertSame(await contentOf(snapshot, 0, mebibyte), first, 'the snapshot')
    assertSame(await contentOf(await subject.openSnapshot!('second'), 0, mebibyte), second, 'the second one')
    assertSame(await contentOf(device, 0, mebibyte), pattern(mebibyte, 9), 'the device')
  }),

  checkWith('snapshot', 'a snapshot takes no writes', async subject => {
    await subject.snapshot?.('one')
    const device = await subject.openSnapshot!('one')
    assert.equal(device.isReadOnly, true)
    const sector = [filled(512, 1)]
    assert.equal(device.writeNow(sector, 0), false)
    await fails('READ_ONLY', () => device.write(sector, 0))
    await fails('READ_ONLY', () => device.unmap(0, 512))
    await fails('READ_ONLY', () => device.zero(0, 512))
    await fails('READ_ONLY', () => device.orWrite(sector, 0))
    await fails('READ_ONLY', () => device.compareAndWrite(sector, sector, 0))
  }),

  checkWith('snapshot', 'deleting a snapshot changes neither the device nor other snapshots, and its device is gone', async subject => {
    const { device } = subject
    const states: Buffer[] = []
    const state = filled(mebibyte, 0)
    for (const name of ['a', 'b', 'c', 'd']) {
      const bytes = pattern(300 * kibibyte + 512, name.charCodeAt(0))
      const offset = (states.length * 150 + 1) * kibibyte
      await device.write([bytes], offset)
      bytes.copy(state, offset)
      await device.unmap(offset + 8192, 16_384)
      state.fill(0, offset + 8192, offset + 24_576)
      states.push(Buffer.from(state))
      await subject.snapshot?.(name)
    }
    await device.write([filled(20_000 * 2 - 40_000 + 4096, 1)], 512)
    state.fill(1, 512, 4608)
    for (const gone of ['b', 'a', 'd', 'c']) {
      const opened = await subject.openSnapshot!(gone)
      await subject.deleteSnapshot?.(gone)
      await fails('GONE', () => opened.read([Buffer.alloc(512)], 0))
      states[gone.charCodeAt(0) - 97] = Buffer.alloc(0)
      for (const [index, expected] of states.entries()) {
        if (expected.length === 0) continue
        const name = String.fromCharCode(97 + index)
        assertSame(await contentOf(await subject.openSnapshot!(name), 0, mebibyte), expected, `${name} without ${gone}`)
      }
      assertSame(await contentOf(device, 0, mebibyte), state, `the device without ${gone}`)
      await device.write([filled(512, 2)], 512_000)
      state.fill(2, 512_000, 512_512)
    }
  }),
]
