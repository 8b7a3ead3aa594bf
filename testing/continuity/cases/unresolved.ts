/** Cases that our server does not answer as the specification says: run by `record.ts --unresolved`, and by no test. */
import { headerSize, LeaseBreakNotification, OplockLevel } from '@holdfast/smb/messages'
import { leaseLetters } from '../answers-of-create.ts'
import type { Case } from '../case.ts'
import { dh2c, dh2q, leaseStates, newGuid, noSuchFile, rqls } from '../contexts.ts'

const { batch } = OplockLevel

export const unresolvedCases: readonly Case[] = [
  {
    section: '3.3.5.9.10',
    title: 'a replay hears of the timeout that was granted (Open.DurableOpenTimeout), whatever it asks for',
    shares: ['plain', 'available'],
    expect: 'durable 30000 ms, then durable 30000 ms',
    async ask(scene) {
      const client = await scene.client()
      const createGuid = newGuid()
      const one = await client.create(scene.path, { oplock: batch, contexts: [dh2q({ createGuid, timeoutMs: 30_000 })] })
      const two = await client.create(scene.path, { oplock: batch, replay: true, contexts: [dh2q({ createGuid, timeoutMs: 50_000 })] })
      return `${one.durability}, then ${two.durability}`
    },
  },
  {
    section: '3.3.5.9.10',
    title: 'the CreateGuid of an open for attributes only is not kept (Open.IsReplayEligible)',
    expect: 'created, then opened',
    async ask(scene) {
      const client = await scene.client()
      const wish = { access: 0x80, contexts: [rqls({ key: newGuid(), state: leaseStates.rwh }), dh2q({ createGuid: newGuid() })] }
      const one = await client.create(scene.path, wish)
      return `${one.action}, then ${(await client.create(scene.path, wish)).action}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a break that nobody could be told of is told to the client of a persistent open when it is back',
    shares: ['available'],
    expect: 'RWH to RH, SUCCESS, then the other has SUCCESS',
    async ask(scene) {
      const [key, createGuid] = [newGuid(), newGuid()]
      const lease = rqls({ key, state: leaseStates.rwh })
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { contexts: [lease, dh2q({ createGuid, persistent: true })] })
      await scene.lose(client)
      // To a client of 3.x the file would not be available.
      const other = (await scene.client({ dialect: 0x0210 })).startCreate(scene.path)
      if (!(await other.pending)) return `the other has not waited: ${await other.status}`
      const again = await scene.client({ as: client })
      await again.create(scene.path, { contexts: [lease, dh2c(fileId, { createGuid, persistent: true })] })
      const broken = statesOf(await again.first.nextBreak())
      const acknowledged = await again.acknowledgeLease(key, leaseStates.rh)
      return `${broken}, ${acknowledged}, then the other has ${await other.status}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a persistent open whose FileId its client never learned is found by its CreateGuid',
    shares: ['available'],
    expect: 'opened, the same open',
    async ask(scene) {
      const createGuid = newGuid()
      const client = await scene.client()
      const one = await client.create(scene.path, { contexts: [dh2q({ createGuid, persistent: true })] })
      await scene.lose(client)
      const again = await scene.client({ as: client })
      const two = await again.create(scene.path, { contexts: [dh2c(noSuchFile, { createGuid, persistent: true })] })
      return `${two.action}, ${two.status === 'SUCCESS' && one.isSame(two, 'persistent') ? 'the same open' : 'another open'}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'who says persistent of an open that is only durable gets INVALID_PARAMETER',
    shares: ['plain', 'available'],
    expect: 'INVALID_PARAMETER',
    async ask(scene) {
      const createGuid = newGuid()
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { oplock: batch, contexts: [dh2q({ createGuid })] })
      await scene.lose(client)
      const again = await scene.client({ as: client })
      return (await again.create(scene.path, { oplock: batch, contexts: [dh2c(fileId, { createGuid, persistent: true })] })).status
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a lease of version 2 is not found by a lease context of version 1',
    shares: ['plain', 'available'],
    expect: 'OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const [key, createGuid] = [newGuid(), newGuid()]
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { contexts: [rqls({ key, state: leaseStates.rwh }), dh2q({ createGuid })] })
      await scene.lose(client)
      const again = await scene.client({ as: client })
      const contexts = [rqls({ key, state: leaseStates.rwh, version: 1 }), dh2c(fileId, { createGuid })]
      return (await again.create(scene.path, { contexts })).status
    },
  },
]

function statesOf(message: Buffer): string {
  const { currentLeaseState, newLeaseState } = LeaseBreakNotification.decode(message, headerSize)
  return `${leaseLetters(currentLeaseState)} to ${leaseLetters(newLeaseState)}`
}
