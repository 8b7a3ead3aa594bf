/** What is done to volumes while somebody ends the process at each step, and what has to be there afterwards. */
import assert from 'node:assert/strict'
import { assertSame, contentOf, pattern } from '../../compliance/scope.ts'
import type { VolumeManager } from '../index.ts'

/** A volume's content, and its snapshots'. */
interface VolumeState {
  readonly content: Buffer
  readonly snapshots: Readonly<Record<string, Buffer>>
}

/** All volumes. */
type State = Readonly<Record<string, VolumeState>>

/** Something that is done as a whole, or not at all. */
export interface Operation {
  readonly title: string
  run(volumes: VolumeManager): Promise<void>
  /** What it makes of what was there. */
  after(before: State): State
}

const shape = { partitionBytes: 131_072, pageBytes: 65_536 }
const initialBytes = 262_144

const put = (name: string, bytes: Buffer, offset: number): Operation => ({
  title: `write ${bytes.length} at ${offset} of ${name}`,
  run: async volumes => {
    const device = await volumes.open(name)
    await device.write([bytes], offset)
    await device.flush()
  },
  after: before => {
    const content = Buffer.from(before[name].content)
    bytes.copy(content, offset)
    return { ...before, [name]: { ...before[name], content } }
  },
})

const putAtomic = (name: string, bytes: Buffer, offset: number): Operation => ({
  title: `write ${bytes.length} at ${offset} of ${name}, atomic`,
  run: async volumes => (await volumes.open(name)).write([bytes], offset, { isAtomic: true }),
  after: put(name, bytes, offset).after,
})

const unmap = (name: string, offset: number, lengthBytes: number): Operation => ({
  title: `unmap ${lengthBytes} at ${offset} of ${name}`,
  run: async volumes => (await volumes.open(name)).unmap(offset, lengthBytes),
  after: put(name, Buffer.alloc(lengthBytes), offset).after,
})

const snapshot = (name: string, snapshotName: string): Operation => ({
  title: `snapshot ${snapshotName} of ${name}`,
  run: async volumes => void (await volumes.snapshot(name, snapshotName)),
  after: before => {
    const { content, snapshots } = before[name]
    return { ...before, [name]: { content, snapshots: { ...snapshots, [snapshotName]: content } } }
  },
})

const deleteSnapshot = (name: string, snapshotName: string): Operation => ({
  title: `delete snapshot ${snapshotName} of ${name}`,
  run: volumes => volumes.deleteSnapshot(name, snapshotName),
  after: before => {
    const { [snapshotName]: _, ...snapshots } = before[name].snapshots
    return { ...before, [name]: { ...before[name], snapshots } }
  },
})

const grow = (name: string, byBytes: number): Operation => ({
  title: `grow ${name}`,
  run: async volumes => void (await volumes.resize(name, (await volumes.get(name)).sizeBytes + byBytes)),
  after: before => ({ ...before, [name]: { ...before[name], content: Buffer.concat([before[name].content, Buffer.alloc(byBytes)]) } }),
})

/** From an empty folder to an empty folder. */
export const workload: readonly Operation[] = [
  {
    title: 'create disk',
    run: async volumes => void (await volumes.create({ name: 'disk', sizeBytes: initialBytes, ...shape })),
    after: before => ({ ...before, disk: { content: Buffer.alloc(initialBytes), snapshots: {} } }),
  },
  put('disk', pattern(initialBytes - 8192), 4096),
  unmap('disk', 20_480, 40_960),
  putAtomic('disk', pattern(30_208, 8), 10_752),
  snapshot('disk', 'one'),
  put('disk', pattern(70_144, 2), 100_352),
  putAtomic('disk', pattern(50_176, 9), 100_864),
  snapshot('disk', 'two'),
  put('disk', pattern(20_992, 3), 512),
  unmap('disk', 120_832, 30_720),
  grow('disk', 36_864),
  put('disk', pattern(65_536, 4), initialBytes - 32_768),
  grow('disk', 131_072),
  putAtomic('disk', pattern(300_032, 10), 67_072),
  snapshot('disk', 'three'),
  put('disk', pattern(8192, 5), 126_976),
  deleteSnapshot('disk', 'one'),
  {
    title: 'create copy from snapshot two',
    run: async volumes => void (await volumes.create({ name: 'copy', from: { volume: 'disk', snapshot: 'two' } })),
    after: before => ({ ...before, copy: { content: before['disk'].snapshots['two'], snapshots: {} } }),
  },
  deleteSnapshot('disk', 'three'),
  put('copy', pattern(8192, 6), 8192),
  deleteSnapshot('disk', 'two'),
  put('disk', pattern(1024, 7), 1024),
  {
    title: 'delete copy',
    run: volumes => volumes.delete('copy'),
    after: before => ({ disk: before['disk'] }),
  },
  {
    title: 'delete disk',
    run: volumes => volumes.delete('disk'),
    after: () => ({}),
  },
]

/** What is there before each operation, and after the last one. */
export const states: readonly State[] = workload.reduce<State[]>((all, operation) => [...all, operation.after(all.at(-1)!)], [{}])

/** Whether the volumes are as they were before an operation, or as they are after it; anything else is an error. */
export const isDone = async (volumes: VolumeManager, index: number): Promise<boolean> => {
  try {
    await assertState(volumes, states[index])
    return false
  } catch (old) {
    try {
      await assertState(volumes, states[index + 1])
      return true
    } catch (next) {
      throw new Error(`neither as before "${workload[index].title}" (${(old as Error).message}) nor as after it (${(next as Error).message})`, {
        cause: next,
      })
    }
  }
}

const assertState = async (volumes: VolumeManager, state: State): Promise<void> => {
  const records = await volumes.list()
  assert.deepEqual(records.map(({ name }) => name).sort(), Object.keys(state).sort())
  for (const { name, sizeBytes, snapshots } of records) {
    const expected = state[name]
    assert.equal(sizeBytes, expected.content.length, `size of ${name}`)
    assert.deepEqual(snapshots.map(one => one.name).sort(), Object.keys(expected.snapshots).sort())
    assertSame(await contentOf(await volumes.open(name)), expected.content, name)
    for (const [snapshotName, content] of Object.entries(expected.snapshots)) {
      assertSame(await contentOf(await volumes.openSnapshot(name, snapshotName)), content, `${name}'s ${snapshotName}`)
    }
  }
}
