import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { WorkerNode, WorkerObject } from '@holdfast/engine'
import { ClientDirectory } from './clients.ts'

/** Two workers whose calls take a turn of the event loop. */
function twoWorkers(): { directories: ClientDirectory[]; isHeld(clientGuid: string): Promise<boolean> } {
  const objects: WorkerObject[] = []
  const call = async (worker: number, method: string, argument: unknown): Promise<unknown> => {
    await turn()
    return objects[worker]?.[method]?.(argument as never, worker)
  }
  const node = (index: number): WorkerNode =>
    ({
      index,
      workers: 2,
      register: (_id: string, object: WorkerObject) => (objects[index] = object),
      onWorkerLost() {},
      call: (worker: number, _id: string, method: string, argument: unknown) => call(worker, method, argument),
      post: (worker: number, _id: string, method: string, argument: unknown) => void call(worker, method, argument),
    }) as unknown as WorkerNode
  const directories = [0, 1].map(index => new ClientDirectory(node(index)))
  return {
    directories,
    /** Whether a connection of worker 0 still counts: then one that comes to worker 1 belongs there. */
    async isHeld(clientGuid) {
      for (let i = 0; i < 4; i++) await turn()
      const probe = { isGone: false }
      const worker = await directories[1].workerOf(clientGuid, probe)
      directories[1].leave(probe)
      for (let i = 0; i < 4; i++) await turn()
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
