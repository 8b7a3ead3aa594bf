import assert from 'node:assert/strict'
import type { BlockDevice } from '../block-device.ts'

/** A device that is new: nothing is stored. 1 MiB or more. What it cannot do is left out. */
export interface BlockDeviceUnderTest {
  readonly device: BlockDevice
  /** Makes it larger: a multiple of 4096. */
  resize?(sizeBytes: number): Promise<void>
  /** Closes it (with `isClean: false` as if the process had ended), and opens it again. */
  reopen?(isClean: boolean): Promise<BlockDevice>
  snapshot?(name: string): Promise<void>
  openSnapshot?(name: string): Promise<BlockDevice>
  deleteSnapshot?(name: string): Promise<void>
  /** Changes the byte of the medium that belongs to this place, of a device that has checksums and can be opened again. */
  damage?(offset: number): void | Promise<void>
  dispose(): void | Promise<void>
}

/** A check: its title, what it needs, what it does. */
export interface BlockDeviceCheck {
  readonly title: string
  readonly needs?: 'resize' | 'reopen' | 'snapshot' | 'damage'
  readonly run: (subject: BlockDeviceUnderTest) => Promise<void>
}

export const check = (title: string, run: BlockDeviceCheck['run']): BlockDeviceCheck => ({ title, run })
export const checkWith = (needs: BlockDeviceCheck['needs'] & string, title: string, run: BlockDeviceCheck['run']): BlockDeviceCheck => ({
  title,
  needs,
  run,
})

export const kibibyte = 1024
export const mebibyte = 1024 * kibibyte

/** Bytes of which each tells where it belongs. */
export const pattern = (lengthBytes: number, seed = 1): Buffer => {
  const bytes = Buffer.allocUnsafe(lengthBytes)
  for (let at = 0; at < lengthBytes; at++) bytes[at] = (at * 7 + (at >> 8) * 13 + seed * 31) % 255
  return bytes
}

export const filled = (lengthBytes: number, value: number): Buffer => Buffer.alloc(lengthBytes, value)

/** What a device holds, asked for at once first. */
export const contentOf = async (device: BlockDevice, offset = 0, lengthBytes = device.sizeBytes - offset): Promise<Buffer> => {
  const content = Buffer.alloc(lengthBytes, 0xee)
  if (!device.readNow([content], offset)) await device.read([content], offset)
  return content
}

/** Writes in whatever way the device likes. */
export const put = async (device: BlockDevice, bytes: Buffer, offset: number): Promise<void> => {
  if (!device.writeNow([bytes], offset)) await device.write([bytes], offset)
}

/** The same bytes; where not, says where. */
export const assertSame = (actual: Buffer, expected: Buffer, message: string): void => {
  assert.equal(actual.length, expected.length, message)
  if (actual.equals(expected)) return
  let at = 0
  while (actual[at] === expected[at]) at++
  let end = expected.length
  while (actual[end - 1] === expected[end - 1]) end--
  const [is, should] = [actual, expected].map(bytes => bytes.subarray(at, at + 8).toString('hex'))
  assert.fail(`${message}: differs from byte ${at} to ${end}: is ${is}…, should be ${should}…`)
}

/** Cuts a range into buffers at these places. */
export const cutAt = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const parts: Buffer[] = []
  let from = 0
  for (const place of [...places, bytes.length]) {
    parts.push(bytes.subarray(from, place))
    from = place
  }
  return parts
}

/** A device that says no, by code. */
export const fails = async (code: string, action: () => Promise<unknown>): Promise<void> => {
  await assert.rejects(action, (error: Error & { code?: string }) => {
    assert.equal(error.code, code, error.message)
    return true
  })
}
