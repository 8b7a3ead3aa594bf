import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command, SecurityMode } from '../../messages/constants.ts'
import { headerOffset } from '../../messages/header.ts'
import { SessionSetupRequest } from '../../messages/session-setup.ts'
import { TreeConnectRequest } from '../../messages/tree-connect.ts'
import type { Logger } from './config.ts'
import { silent } from './config.ts'
import { allOnes, bodies, related, TestClient } from './test-support/client.ts'
import { connect, FakeNode } from './test-support/fakes.ts'
import { testServer } from './test-support/server.ts'

/** xorshift32: the same garbage in every run. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

test('garbage costs its own connection at most: no exception, no memory kept, nothing waits', async () => {
  const random = generator(20_261_121)
  const node = new FakeNode()
  const bugs: unknown[] = []
  const log: Logger = { ...silent, error: fields => void bugs.push(fields) }
  const server = testServer({ node, config: { signing: 'enabled' }, dependencies: { log } })
  const links = []
  for (let round = 0; round < 60; round++) {
    const client = new TestClient(connect(server))
    links.push(client.connection)
    const { session, treeId } = await client.ready({ credits: 4000, dialects: [[0x0202], [0x0210], [0x0302], [0x0302, 0x0311]][round % 4] })
    const here = { sessionId: session.id, treeId }
    const created = await client.request(Command.create, bodies.create(), here)
    const fileId = created.body.subarray(64, 80)
    const samples: (() => Buffer)[] = [
      () => client.build(Command.create, bodies.create(), here),
      () => client.build(Command.read, bodies.read(fileId, 1000), here),
      () => client.build(Command.ioctl, bodies.ioctl(allOnes, 0x00140204), here),
      () => client.build(Command.changeNotify, bodies.notify(fileId), here),
      () => client.build(Command.treeConnect, TreeConnectRequest.toBytes({ path: '\\\\s\\docs' }), here),
      () => client.build(Command.cancel, bodies.empty(), here),
      () =>
        client.build(
          Command.sessionSetup,
          SessionSetupRequest.toBytes({ securityMode: SecurityMode.signingEnabled, securityBuffer: Buffer.alloc(40, 0x60) }),
          {
            sessionId: random(2) === 0 ? 0n : session.id,
          },
        ),
      () =>
        client.compound([
          { message: client.build(Command.create, bodies.create(), here) },
          { message: client.build(Command.changeNotify, bodies.notify(allOnes), { ...here, flags: related }) },
          { message: client.build(Command.close, bodies.close(allOnes), { ...here, flags: related }) },
        ]),
    ]
    for (let i = 0; i < 60 && !client.connection.closedBecause; i++) {
      let message = samples[random(samples.length)]()
      for (let changes = random(4); changes > 0; changes--) {
        // Mostly not in MessageId, which would only close the connection.
        const at = random(message.length)
        if (at >= headerOffset.messageId && at < headerOffset.messageId + 8 && random(20) !== 0) continue
        message[at] = random(4) === 0 ? 0xff : random(256)
      }
      if (random(10) === 0) message = message.subarray(0, random(message.length))
      client.connection.deliver(random(8) === 0 && client.cipher !== undefined && message.length > 0 ? session.encrypt(message) : message)
      if (random(4) === 0) await new Promise(resolve => setImmediate(resolve))
    }
    if (client.connection.closedBecause === undefined) client.connection.handler!.onClose('closed')
  }
  await new Promise(resolve => setTimeout(resolve, 80))
  assert.deepEqual(bugs, [])
  assert.equal(node.asyncHeld, 0)
  assert.equal(server.sessions.size, 0)
  assert.equal(server.retired.length, 0)
  for (const link of links) {
    assert.equal(link.allocated, 0)
    assert.ok(link.messages.every(({ releases }) => releases === 1))
  }
})
