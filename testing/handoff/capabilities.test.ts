/** What agents may do at least, as their units say: without CAP_PERFMON and CAP_SYS_ADMIN the kernel allows programs less. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Network } from './machine.ts'
import { missing } from '../peers/packages.ts'
import { topologyUnavailable } from './topology.ts'

const absent = topologyUnavailable()
const skip = absent === false ? missing('setpriv') : absent

const capabilities = '-all,+net_admin,+net_raw,+bpf'
/** Prints what the verifier went through. */
const attach = `
  Promise.all([import('@holdfast/handoff/bpf'), import('@holdfast/posix/network')]).then(([bpf, { parseAddress }]) => {
    const names = []
    for (const address of ['10.0.0.1', 'fd77::1']) {
      const own = parseAddress(address)
      const director = bpf.DirectorPrograms.attach({ interface: 'lo', vip: own, vipPort: 80, raisePort: 7002 })
      const agent = bpf.ServerAgentPrograms.attach({ interfaces: ['lo'], listen: own, listenPort: 7001 })
      const programs = [director.program, ...agent.programs].map(program => program.info())
      names.push({ opening: agent.attachOpening() !== undefined, programs: programs.map(info => info.name + ' ' + info.verifiedInstructions) })
    }
    console.log(JSON.stringify(names))
    process.exit()
  })`

type Printed = readonly { readonly opening: boolean; readonly programs: readonly string[] }[]

describe('with CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF, and no more', { skip }, () => {
  test('the kernel takes all programs', async t => {
    await using network = new Network(`hfb${process.pid % 100_000}`)
    const machine = await network.machine('poor')
    const words = ['setpriv', '--reuid', 'nobody', '--bounding-set', capabilities, '--inh-caps', capabilities, '--ambient-caps', capabilities]
    const run = async (...before: readonly string[]): Promise<Printed> =>
      JSON.parse(await machine.must([...before, process.execPath, '-e', attach])) as Printed
    const [poor, rich] = [await run(...words), await run()]
    t.diagnostic(`instructions verified: ${poor.flatMap(({ programs }) => programs).join(', ')}`)
    assert.deepEqual(
      poor.map(({ opening }) => opening),
      rich.map(({ opening }) => opening),
      'second connections are opened in the same way',
    )
  })
})
