import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runCommand } from '../peers/command.ts'
import { temporaryFolder } from '../peers/folder.ts'
import { missing } from '../peers/packages.ts'
import { root } from '../run/root.ts'
import { agentPort, endpoint, holdfastWords } from './agents.ts'
import { skip } from './prerequisites.ts'
import { get } from './requests.ts'
import { startScene, until } from './scene.ts'
import type { Scene } from './scene.ts'

/** As the units have it: see `AmbientCapabilities`. */
const capabilitiesOf = (unit: string): string[] =>
  (/^AmbientCapabilities=(.*)$/m.exec(readFileSync(join(root, 'packages/holdfast/systemd', unit), 'utf8'))?.[1] ?? '').toLowerCase().split(' ')
const units = { director: 'holdfast-director@.service', 'server-agent': 'holdfast-server-agent@.service' } as const

/** Words that take all capabilities but these from a program of root. */
const withOnly = (capabilities: readonly string[]): string[] => [
  'setpriv',
  `--bounding-set=${['-all', ...capabilities.map(name => `+${name.replace('cap_', '')}`)].join(',')}`,
]

describe('director and server agent from the command line', { skip: skip === false ? missing('setpriv') : skip }, () => {
  let scene: Scene
  before(async () => {
    scene = await startScene({
      before: withOnly(capabilitiesOf(units.director)),
      director: ['--metrics', '10.77.0.1:9450'],
      files: ['small.txt', 'big.bin'],
    })
  })
  after(async () => scene?.[Symbol.asyncDispose]())

  test('the ready line says where they are', () => {
    const { vip, a } = scene.addresses
    const [director, agent] = [scene.part('director'), scene.part('a')]
    assert.equal(director.readyLine, `ready pid=${director.pid} vip=${endpoint(vip, 80)} dev=eth0 agents=2`)
    assert.equal(agent.readyLine, `ready pid=${agent.pid} listen=${endpoint(a, agentPort)} local=${endpoint(a, 80)} dev=eth0`)
  })

  test('with the capabilities of their units and no others', async () => {
    for (const part of ['director', 'a'] as const) {
      const status = readFileSync(`/proc/${scene.part(part).pid}/status`, 'utf8')
      const bits = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(status)?.[1]}`).toString(2)
      assert.equal(bits.replaceAll('0', '').length, capabilitiesOf(units.director).length)
    }
    assert.equal(await scene.sha256('/a/big.bin'), scene.content.sha256['/a/big.bin'])
    await scene.part('director').kill()
    await scene.start('director')
    await scene.healthy()
    assert.equal(await scene.sha256('/b/big.bin'), scene.content.sha256['/b/big.bin'])
    const { metrics } = await scene.status('director')
    assert.deepEqual([metrics['handoffs'], metrics['proxied']], [1, 0])
  })

  test('the agent has fewer: it listens on no port of root', () => {
    assert.deepEqual(capabilitiesOf(units['server-agent']), ['cap_net_admin', 'cap_net_raw', 'cap_bpf'])
    assert.deepEqual(capabilitiesOf(units.director), [...capabilitiesOf(units['server-agent']), 'cap_net_bind_service'])
  })

  describe('what is missing is named before anything is done', () => {
    const director = (): string[] => {
      const { ground, addresses } = scene
      const { keyFile, folder } = ground
      const words = ['--vip', endpoint(addresses.vip, 81), '--dev', 'eth0', '--key-file', keyFile, '--owner', `/=${endpoint(addresses.a, agentPort)}`]
      return holdfastWords('director', ...words, '--pin', `${ground.pins}/nothing`, '--run', folder.at('run-nothing'))
    }
    for (const lacking of ['cap_net_admin', 'cap_net_raw', 'cap_bpf', 'cap_net_bind_service']) {
      test(lacking, async () => {
        const others = capabilitiesOf(units.director).filter(name => name !== lacking)
        const { status, stdout, stderr } = await scene.topology.director.run([...withOnly(others), ...director()])
        assert.deepEqual([status, stdout], [1, ''])
        assert.match(
          stderr,
          new RegExp(`^holdfast: holdfast director needs the capability ${lacking.toUpperCase()}, which this process does not have.*\n$`),
        )
      })
    }
  })

  test('wrong words: one line that names the key, the value and what is allowed; exit 2', async () => {
    for (const [words, message] of [
      [['director', '--vip', '10.9.9.9:80'], '--vip: "10.9.9.9:80" is not allowed; allowed: an address of this machine other than loopback'],
      [['director', '--dev', 'eth7'], '--dev: "eth7" is not allowed; allowed: the name of a network interface of this machine'],
      [['director', '--owner', 'x=1'], '--owner: "x=1" is not allowed; allowed: PREFIX=ADDR:PORT'],
    ] as const) {
      const all: Record<string, string> = {
        '--vip': '10.77.0.100:80',
        '--dev': 'eth0',
        '--key-file': scene.ground.keyFile,
        '--owner': '/=10.77.0.11:7450',
        [words[1]]: words[2],
      }
      const { status, stdout, stderr } = await scene.topology.director.run(holdfastWords(words[0], ...Object.entries(all).flat()))
      assert.deepEqual([status, stdout], [2, ''])
      assert.ok(stderr.startsWith(`holdfast: ${message}`) && stderr.split('\n').length === 2, stderr)
    }
  })

  test('a second one for the same interface does not start', async () => {
    const { ground, topology } = scene
    const words = ['--listen', '10.77.0.11:7451', '--local', '10.77.0.11:80', '--dev', 'eth0', '--key-file', ground.keyFile]
    const run = ground.folder.at('run-agent-a')
    const { status, stderr } = await topology.a.run(holdfastWords('server-agent', ...words, '--pin', `${ground.pins}/agent-a`, '--run', run))
    assert.equal(status, 1)
    assert.equal(stderr, `holdfast: a server agent runs already for eth0 (pid ${scene.part('a').pid})\n`)
  })

  test('--status: a table for people', async () => {
    const { topology, ground } = scene
    const shown = await topology.director.must(holdfastWords('director', '--status', '--dev', 'eth0', '--run', ground.folder.at('run-director')))
    assert.match(shown, /^director +10\.77\.0\.100:80 on eth0, per-request, pid \d+ since /)
    assert.match(shown, /^10\.77\.0\.11:7450 +healthy +10\.77\.0\.11:80 +neighbour/m)
    const agent = await topology.a.must(holdfastWords('server-agent', '--status', '--dev', 'eth0', '--run', ground.folder.at('run-agent-a')))
    assert.match(agent, /^server agent +10\.77\.0\.11:7450 on eth0, pid \d+ since /)
    assert.match(agent, /^10\.77\.0\.1:\d+ +\d+ +\d+ ms$/m)
  })

  test('/metrics', async () => {
    const page = await scene.topology.director.must(['curl', '-sSf', '--noproxy', '*', 'http://10.77.0.1:9450/metrics'])
    for (const line of [
      /^holdfast_handoff_handoffs_total [1-9]\d*$/m,
      /^holdfast_handoff_agents_healthy 2$/m,
      /^holdfast_handoff_refusals_total\{reason="silent"\} 0$/m,
      /^holdfast_handoff_forwarded_packets_total [1-9]\d*$/m,
      /^process_resident_memory_bytes \d+$/m,
    ]) {
      assert.match(page, line)
    }
  })

  test('--detach takes away what one that was killed has left: its connections end, and not before', async () => {
    const { topology, ground } = scene
    const words = holdfastWords(
      'director',
      '--detach',
      '--dev',
      'eth0',
      '--pin',
      `${ground.pins}/director`,
      '--run',
      ground.folder.at('run-director'),
    )
    const running = await topology.director.run(words)
    assert.deepEqual([running.status, /runs already/.test(running.stderr)], [1, true])
    const talk = scene.converse({ steps: [{ send: get('/slow/a/big.bin'), responses: 1 }], timeoutMs: 20_000 })
    await until('it is handed over', async () => ((await scene.status('director')).metrics['entries'] ?? 0) > 0)
    await scene.part('director').kill()
    await topology.director.must(words)
    const { ended } = await talk
    assert.equal(ended, 'ECONNRESET', 'the stack of the director does not know the connection')
    await scene.start('director')
    await scene.healthy()
    assert.equal(await scene.sha256('/a/small.txt'), scene.content.sha256['/a/small.txt'])
  })
})

test('the units are what systemd takes', { skip: missing('systemd-analyze') }, async () => {
  await using folder = temporaryFolder('units')
  for (const unit of Object.values(units)) {
    const text = readFileSync(join(root, 'packages/holdfast/systemd', unit), 'utf8')
    // Where it is installed, as systemd looks whether the program is there.
    const path = folder.at(unit.replace('@.', '@eth0.'))
    writeFileSync(path, text.replaceAll('/opt/holdfast', root))
    const { status, stdout, stderr } = await runCommand('systemd-analyze', ['verify', '--man=no', path])
    assert.deepEqual([status, stdout, stderr], [0, '', ''])
  }
})
