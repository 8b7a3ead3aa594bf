/** Programs and maps that are pinned go on without the process that put them there, however it ended, and are found again. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { AgentEntry, DirectorEntry, DirectorPrograms, FlowKey, ServerAgentPrograms } from '@holdfast/handoff/bpf'
import type { AttachMethod } from '@holdfast/handoff/bpf'
import { isBpfFilesystem, mountBpfFilesystem, unmount } from '@holdfast/posix/bpf'
import { inNetworkNamespace, parseAddress } from '@holdfast/posix/network'
import { Network } from './machine.ts'
import type { Machine } from './machine.ts'
import { topologyUnavailable } from './topology.ts'

const skip = topologyUnavailable()

const [clientAddress, vip, clientPort, vipPort, raisePort, listenPort] = ['10.79.0.2', '10.79.0.1', 5555, 80, 7002, 7001]
const key = FlowKey.toBytes({ source: parseAddress(clientAddress), destination: parseAddress(vip), sourcePort: clientPort, destinationPort: vipPort })
const directorEntry = Buffer.alloc(DirectorEntry.fixedSize)
const agentEntry = Buffer.alloc(AgentEntry.fixedSize)

const within = <Result>(machine: Machine, action: () => Result): Result => inNetworkNamespace(`/run/netns/${machine.namespace}`, action)

/** Holds both kinds of programs until it is killed. */
const holder = `
  const [directory, attach] = process.argv.slice(1)
  Promise.all([import('@holdfast/handoff/bpf'), import('@holdfast/posix/network')]).then(([bpf, { parseAddress }]) => {
    const own = parseAddress('${vip}')
    globalThis.director = bpf.DirectorPrograms.attach({ interface: 'eth0', vip: own, vipPort: ${vipPort}, raisePort: ${raisePort}, pinDirectory: directory + '/director', attach })
    globalThis.agent = bpf.ServerAgentPrograms.attach({ interfaces: ['eth0'], listen: own, listenPort: ${listenPort}, pinDirectory: directory + '/agent', attach })
    console.log('ready', JSON.stringify([director.attached, agent.attached]))
    setInterval(() => {}, 1e6)
  })`
const knock = `
  require('node:net').connect({ host: '${vip}', port: ${vipPort}, localPort: ${clientPort} }).on('error', error => console.log(error.code))`

describe('what is pinned', { skip }, () => {
  const folder = skip === false ? mkdtempSync(join(tmpdir(), 'holdfast-pins-')) : ''
  before(() => mountBpfFilesystem(folder))
  after(() => {
    unmount(folder)
    rmdirSync(folder)
  })

  for (const attach of ['tcx', 'clsact'] as const satisfies readonly AttachMethod[]) {
    test(`goes on without its process, and is taken up again (${attach})`, async () => {
      await using network = new Network(`hfb${process.pid % 100_000}`)
      const [client, machine] = [await network.machine('client'), await network.machine('director')]
      await network.cable(
        { machine: client, device: 'eth0', addresses: [`${clientAddress}/24`] },
        { machine, device: 'eth0', addresses: [`${vip}/24`] },
      )
      const directory = join(folder, attach)
      const pins = { director: join(directory, 'director'), agent: join(directory, 'agent') }
      const attachAgain = (): [DirectorPrograms, ServerAgentPrograms] =>
        within(machine, () => [
          DirectorPrograms.attach({ interface: 'eth0', vip: parseAddress(vip), vipPort, raisePort, pinDirectory: pins.director, attach }),
          ServerAgentPrograms.attach({ interfaces: ['eth0'], listen: parseAddress(vip), listenPort, pinDirectory: pins.agent, attach }),
        ])
      /** The port is closed, so a SYN is answered with a RST: one packet each time. */
      const send = async (): Promise<void> => assert.equal((await client.must([process.execPath, '-e', knock])).trim(), 'ECONNREFUSED')

      const process1 = await machine.start([process.execPath, '-e', holder, directory, attach], { ready: /ready/ })
      const expected = { method: attach, isPinned: true, isResumed: false }
      assert.deepEqual(JSON.parse(process1.readyLine.slice('ready '.length)), [expected, expected])
      {
        // A second process sees the same maps; its programs take the place of the first one's.
        const [director, agent] = attachAgain()
        assert.deepEqual([director.attached.isResumed, agent.attached.isResumed], [true, true])
        assert.equal(director.flows.update(key, Buffer.alloc(DirectorEntry.fixedSize)), 0)
        assert.equal(agent.flows.update(key, AgentEntry.toBytes({ ...AgentEntry.decode(agentEntry), state: 1 })), 0)
        agent.flows.remove(key)
        director[Symbol.dispose]()
        agent[Symbol.dispose]()
      }
      await process1.kill()
      await send()
      const [director, agent] = attachAgain()
      try {
        assert.ok(director.flows.lookup(key, directorEntry))
        assert.equal(DirectorEntry.decode(directorEntry).packets, 1, 'counted while there was no process')
        await send()
        director.flows.lookup(key, directorEntry)
        assert.equal(DirectorEntry.decode(directorEntry).packets, 2, 'each packet meets the program once')
        // What an agent changes leaves what is counted.
        assert.equal(director.flows.change(key, DirectorEntry.toBytes({ ...DirectorEntry.decode(directorEntry), packets: 77, generation: 9 })), 0)
        director.flows.lookup(key, directorEntry)
        const { packets, generation } = DirectorEntry.decode(directorEntry)
        assert.deepEqual([packets, generation], [2, 9])

        within(machine, () => {
          DirectorPrograms.detach({ interface: 'eth0', pinDirectory: pins.director })
          ServerAgentPrograms.detach({ interfaces: ['eth0'], pinDirectory: pins.agent })
        })
      } finally {
        director[Symbol.dispose]()
        agent[Symbol.dispose]()
      }
      assert.deepEqual([existsSync(pins.director), existsSync(pins.agent)], [false, false])
      const [fresh] = attachAgain()
      assert.equal(fresh.attached.isResumed, false)
      assert.equal(fresh.flows.lookup(key, directorEntry), false)
      within(machine, () => {
        DirectorPrograms.detach({ interface: 'eth0', pinDirectory: pins.director })
        ServerAgentPrograms.detach({ interfaces: ['eth0'], pinDirectory: pins.agent })
      })
      await send()
      assert.equal(fresh.flows.lookup(key, directorEntry), false)
    })
  }

  test('gets a bpf filesystem of its own where there is none', async () => {
    await using network = new Network(`hfb${process.pid % 100_000}`)
    const machine = await network.machine('alone')
    const elsewhere = mkdtempSync(join(tmpdir(), 'holdfast-pins-'))
    const options = { interface: 'lo', vip: parseAddress(vip), vipPort, raisePort, pinDirectory: join(elsewhere, 'of.a', 'director') }
    try {
      using director = within(machine, () => DirectorPrograms.attach(options))
      assert.deepEqual(director.attached, { method: 'tcx', isPinned: true, notPinned: undefined, isResumed: false })
      assert.ok(isBpfFilesystem(options.pinDirectory))
      within(machine, () => DirectorPrograms.detach(options))
      assert.deepEqual(
        readdirSync(options.pinDirectory).filter(name => !name.endsWith('.debug')),
        [],
      )
    } finally {
      unmount(options.pinDirectory)
      rmSync(elsewhere, { recursive: true })
    }
  })

  test('is nothing where a place to pin to cannot be had, and the reason is told', async () => {
    await using network = new Network(`hfb${process.pid % 100_000}`)
    const machine = await network.machine('alone')
    const options = { interface: 'lo', vip: parseAddress(vip), vipPort, raisePort, pinDirectory: '/proc/holdfast' }
    using director = within(machine, () => DirectorPrograms.attach(options))
    const { isPinned, notPinned = '' } = director.attached
    assert.equal(isPinned, false)
    assert.match(notPinned, /\/proc\/holdfast is no place to pin to: /)
  })
})
