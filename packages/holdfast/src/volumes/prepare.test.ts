import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryStore } from '@holdfast/cluster'
import { ConfigError } from '../config/errors.ts'
import { parseVolume } from '../config/volumes.ts'
import { MemoryVolumes } from '../test-support/memory-volumes.ts'
import { AccessStore } from './access-store.ts'
import { prepareVolumes } from './prepare.ts'

function state() {
  const shared = new MemoryVolumes()
  const store = memoryStore()
  const manager = shared.manager()
  const prepare = (...words: readonly string[]) =>
    prepareVolumes({ manager, store, settings: words.map(word => parseVolume(word, { key: 'volume' })), log: { info() {} } })
  return { shared, store, manager, prepare, accessOf: (name: string) => new AccessStore(store).get(name) }
}

describe('volumes of the configuration', () => {
  test('are made where they are missing, and left as they are when they are there', async () => {
    const { shared, manager, prepare } = state()
    await prepare('disk0=1GiB', 'disk1=1GiB,block-size=4096')
    await prepare('disk0=1GiB', 'disk1=1GiB')
    assert.deepEqual(shared.steps, ['0 create disk0', '0 create disk1'])
    assert.deepEqual(
      (await manager.list()).map(({ name, sizeBytes, options }) => ({ name, sizeBytes, options })),
      [
        { name: 'disk0', sizeBytes: 2 ** 30, options: {} },
        { name: 'disk1', sizeBytes: 2 ** 30, options: { blockBytes: 4096 } },
      ],
    )
  })

  test('grow with the configuration; one that is larger already, or has other blocks, is an error that says what to do', async () => {
    const { manager, prepare } = state()
    await prepare('disk0=1GiB')
    await prepare('disk0=2.5GiB')
    assert.equal((await manager.get('disk0')).sizeBytes, 2.5 * 2 ** 30)
    const refusal = async (word: string): Promise<string> => {
      const error = await prepare(word).then(
        () => assert.fail('it was accepted'),
        (error: unknown) => error,
      )
      assert.ok(error instanceof ConfigError)
      return error.message
    }
    assert.equal(
      await refusal('disk0=1GiB'),
      'volume "disk0" has 2560MiB already, and a volume cannot shrink; say disk0=2560MiB, or delete it first with "holdfast volume delete disk0"',
    )
    assert.match(await refusal('disk0=2560MiB,block-size=4096'), /"disk0" was made with block-size=512, which cannot change/)
    assert.match(await refusal('disk0=2560MiB,checksums'), /"disk0" was made without checksums, which cannot change; leave checksums out/)
    await prepare('disk1=1GiB,checksums')
    assert.deepEqual((await manager.get('disk1')).options, { checksums: true })
    await prepare('disk1=1GiB,checksums')
    await prepare('disk1=1GiB')
  })

  test('have the options of the configuration, whatever they had before', async () => {
    const { prepare, accessOf } = state()
    await prepare('disk0=1GiB,no-auth')
    assert.deepEqual(await accessOf('disk0'), { readOnly: false, noAuth: true })
    await prepare('disk0=1GiB,user=alice,read-only')
    assert.deepEqual(await accessOf('disk0'), { readOnly: true, noAuth: false, users: ['alice'] })
    await prepare()
    assert.deepEqual(await accessOf('disk0'), { readOnly: true, noAuth: false, users: ['alice'] })
  })

  test('that nobody said anything of let users in only', async () => {
    assert.deepEqual(await state().accessOf('disk0'), { readOnly: false, noAuth: false })
  })
})
