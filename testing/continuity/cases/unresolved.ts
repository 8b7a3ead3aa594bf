/** Cases that our server does not answer as the specification says: run by `record.ts --unresolved`, and by no test. */
import type { Case } from '../case.ts'
import { dh2c, dh2q, leaseStates, newGuid, rqls } from '../contexts.ts'

export const unresolvedCases: readonly Case[] = [
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
