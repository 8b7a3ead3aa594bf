import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BPF_PROG_TYPE_SCHED_CLS, TCX_NEXT, TC_ACT_REDIRECT, loadProgram } from '@holdfast/posix/bpf'
import { ipv4 } from '../../transform/families.ts'
import { Assembler, r0, r1 } from '../assembler/index.ts'
import { programsUnavailable } from '../test-support/availability.ts'
import { ethernet } from '../test-support/laboratory.ts'
import { tcpPacket } from '../test-support/packets.ts'
import { Random } from '../test-support/random.ts'
import { Exit, Stack, begin, jumpIfFamily, skb, swap16 } from './context.ts'

const skip = programsUnavailable()

test('a packet whose VLAN tag the device has taken off is left alone: it looks like any other', { skip }, () => {
  const frame = ethernet(tcpPacket(new Random(1), { family: ipv4 }).packet, ipv4)
  const outcome = (isTagged: boolean): number => {
    const a = new Assembler('hf_vlan')
    const context = { a, stack: new Stack(), linkBytes: 14 }
    if (isTagged) {
      a.mov(skb, r1)
      a.call('skb_vlan_push', skb, swap16(0x8100), 5)
      a.mov(r1, skb)
    }
    begin(context)
    jumpIfFamily(context, ipv4, 'ours')
    a.label(Exit.pass).mov32(r0, TCX_NEXT).exit()
    a.label('ours').mov32(r0, TC_ACT_REDIRECT).exit()
    using program = loadProgram({ type: BPF_PROG_TYPE_SCHED_CLS, instructions: a.assemble().bytes({}) })
    return program.testRun({ packet: frame }).returned
  }
  assert.deepEqual([outcome(false), outcome(true)], [TC_ACT_REDIRECT, TCX_NEXT])
})
