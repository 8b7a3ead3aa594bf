import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ClientDirectory } from './clients.ts'
import { FakeMesh, FakeNode } from './test-support/fakes.ts'

/** Directories of two workers, and whether a connection of worker 0 still counts: then one that comes to worker 1 belongs there. */
function twoWorkers(): { directories: ClientDirectory[]; isHeld(clientGuid: string): Promise<boolean> } {
  const mesh = new FakeMesh()
  const directories = [0, 1].map(index => new ClientDirectory(new FakeNode({ mesh, index, workers: 2 })))
  return {
    directories,
    async isHeld(clientGuid) {
      await turn()
      const probe = { isGone: false }
      const worker = await directories[1].workerOf(clientGuid, probe)
      directories[1].leave(probe)
      await turn()
      return worker === 0
    },
  }
}

describe('the directory of clients', () => {
  for (const clientGuid of ['a', 'b']) {
    test(`connections of one client come together, until the last has gone (part ${clientGuid})`, async () => {
      const { directories, isHeld } = twoWorkers()
      const [first, second] = [{ isGone: false }, { isGone: false }]
      assert.equal(await directories[0].workerOf(clientGuid, first), 0)
      assert.equal(await directories[0].workerOf(clientGuid, second), 0)
      assert.equal(await isHeld(clientGuid), true)
      directories[0].leave(first)
      assert.equal(await isHeld(clientGuid), true)
      directories[0].leave(second)
      assert.equal(await isHeld(clientGuid), false)
    })

    test(`a connection that goes while the directory is asked is not counted (part ${clientGuid})`, async () => {
      const { directories, isHeld } = twoWorkers()
      const connection = { isGone: false }
      const asked = directories[0].workerOf(clientGuid, connection)
      connection.isGone = true
      directories[0].leave(connection)
      await asked
      assert.equal(await isHeld(clientGuid), false)
    })

    test(`a connection that asks twice is counted once (part ${clientGuid})`, async () => {
      const { directories, isHeld } = twoWorkers()
      const connection = { isGone: false }
      await Promise.all([directories[0].workerOf(clientGuid, connection), directories[0].workerOf(clientGuid, connection)])
      assert.equal(await isHeld(clientGuid), true)
      directories[0].leave(connection)
      assert.equal(await isHeld(clientGuid), false)
    })
  }
})
